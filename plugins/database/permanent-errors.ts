import { DatabaseStartError } from './errors.js';

/** OpenSSL's codes, as Node.js reports them, for server certificates that are not accepted. */
const untrusted = new Set([
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_UNTRUSTED', 'CERT_REJECTED', 'INVALID_CA'],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
]);
const outdatedCertificate = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_REVOKED']);
const wrongName = new Set(['ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_TLS_CERT_ALTNAME_FORMAT', 'HOSTNAME_MISMATCH']);

/** Causes and remedies of errors that retrying cannot end, by SQLSTATE. */
const remedies: Record<string, string> = {
  '28P01': 'the server rejects the password; correct user and password',
  '28000': 'the server rejects the role or the connection method; correct the role, sslmode or pg_hba.conf',
  '3D000': 'the database does not exist; create it, or name another one',
  '42501': 'the role lacks a privilege; grant it, or use the role that owns the tables',
};

/** Causes and remedies of TLS and login errors that `pg` reports without a SQLSTATE. */
function remedyForClient(code: string, message: string): string | undefined {
  if (untrusted.has(code))
    return 'the certificate of the server is not trusted; name its certificate authority with sslrootcert, or use sslmode=require';
  if (outdatedCertificate.has(code)) return 'the certificate of the server is not valid now; renew it';
  if (wrongName.has(code))
    return 'the certificate of the server is for another host name; connect by that name, or use sslmode=verify-ca';
  if (message.includes('does not support SSL connections'))
    return 'the server has no TLS; use sslmode=disable or sslmode=prefer, or enable TLS on the server';
  if (message.includes('client password must be a string')) return 'the server asks for a password; add one to the URL';
  if (/CERTIFICATE_REQUIRED|certificate required|BAD_CERTIFICATE|key values mismatch/i.test(`${code} ${message}`))
    return 'the server rejects the client certificate; correct sslcert and sslkey';
  if (/^ERR_OSSL_|PEM/.test(code))
    return 'a certificate file cannot be read as PEM; correct sslrootcert, sslcert or sslkey';
  return undefined;
}

/**
 * Explains an error that retrying cannot end, with its remedy.
 *
 * @returns undefined when retrying can help
 */
export function permanentError(error: unknown): DatabaseStartError | undefined {
  if (error instanceof DatabaseStartError) return error;
  const { code = '', message = '' } = error as { code?: string; message?: string };
  const remedy = remedies[code] ?? remedyForClient(String(code), message);
  if (remedy === undefined) return undefined;
  return new DatabaseStartError(`DATABASE_URL: ${message.split('\n', 1)[0]}: ${remedy}`, { cause: error });
}
