import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

/** A database URL that cannot work. The message is one line without the variable's name and without a secret. */
export class DatabaseUrlError extends Error {
  override name = 'DatabaseUrlError';
}

/** A parsed database URL, in the terms of `pg`. */
export interface ConnectionTarget {
  /** The URL without the parameters that `pg` does not know, or reads differently from libpq. */
  connectionString: string;
  applicationName: string | undefined;
  /** Prisma's `schema`; `public` by default. */
  schema: string;
  /** Undefined when the URL has no `sslmode`: then `pg` reads PGSSLMODE, and connects without TLS by default. */
  ssl: false | ConnectionOptions | undefined;
  /** Whether a server without TLS is accepted: `sslmode=prefer` and `allow`. */
  isTlsOptional: boolean;
  /** Prisma's `connection_limit`. */
  poolSize: number | undefined;
  /** Prisma's `pool_timeout`, in milliseconds; 0 waits without limit. */
  poolTimeoutMs: number | undefined;
  /** libpq's `connect_timeout`, in milliseconds; 0 waits without limit. */
  connectTimeoutMs: number | undefined;
  /** Prisma's `pgbouncer`: the pooler shares server sessions between clients, so only settings that it tracks are kept. */
  isPooled: boolean;
  /** One line for ignored parameters, one for a TLS mode that does not verify the server. */
  warnings: string[];
}

const pgParameters = new Set(['host', 'port', 'user', 'password', 'application_name', 'options']);
const handledParameters = new Set([
  ...['schema', 'connection_limit', 'pool_timeout', 'connect_timeout', 'pgbouncer'],
  ...['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'uselibpqcompat'],
]);
const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/**
 * Parses a database URL: TLS parameters mean what they mean to libpq, pool and schema parameters what they mean to Prisma.
 *
 * @param url `postgresql://user:password@host:port/database?parameters`
 * @throws DatabaseUrlError when a parameter cannot work
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 */
export function targetOf(url: string): ConnectionTarget {
  const parsed = new URL(url);
  if (parsed.pathname.length < 2)
    throw new DatabaseUrlError('names no database; add it after the host, as in /musicez');
  const params = new Map(parsed.searchParams);
  const ignored = [...params.keys()].filter((name) => !pgParameters.has(name) && !handledParameters.has(name));
  for (const name of params.keys()) if (!pgParameters.has(name)) parsed.searchParams.delete(name);
  const { ssl, isTlsOptional, warning } = tlsOf(params);
  return {
    connectionString: parsed.href,
    applicationName: params.get('application_name'),
    schema: params.get('schema') || 'public',
    ssl,
    isTlsOptional,
    poolSize: numberOf(params, 'connection_limit', 1),
    poolTimeoutMs: secondsOf(params, 'pool_timeout'),
    connectTimeoutMs: secondsOf(params, 'connect_timeout'),
    isPooled: params.get('pgbouncer') === 'true',
    warnings: [
      ...(ignored.length > 0 ? [`ignores the parameters ${ignored.join(', ')}`] : []),
      ...(warning ? [warning] : []),
    ],
  };
}

function tlsOf(params: Map<string, string>): {
  ssl: ConnectionTarget['ssl'];
  isTlsOptional: boolean;
  warning?: string;
} {
  const mode = params.get('sslmode');
  const ca = fileOf(params, 'sslrootcert');
  const files = { ca, cert: fileOf(params, 'sslcert'), key: fileOf(params, 'sslkey') };
  if (mode === undefined) {
    if (ca ?? files.cert ?? files.key)
      throw new DatabaseUrlError('has certificates but no sslmode; add sslmode=verify-full');
    return { ssl: undefined, isTlsOptional: false };
  }
  if (!sslModes.includes(mode))
    throw new DatabaseUrlError(`sslmode must be one of ${sslModes.join(', ')}; not "${mode}"`);
  if (mode === 'disable') return { ssl: false, isTlsOptional: false };
  const certificates = Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined));
  const isTlsOptional = mode === 'prefer' || mode === 'allow';
  if (mode === 'verify-full') return { ssl: certificates, isTlsOptional };
  if (mode === 'verify-ca' && ca === undefined)
    throw new DatabaseUrlError('sslmode=verify-ca needs sslrootcert, the file of the certificate authority');
  // As libpq: with a certificate authority `require` verifies it as well, but not the host's name.
  if (ca !== undefined) return { ssl: { ...certificates, checkServerIdentity: () => undefined }, isTlsOptional };
  return {
    ssl: { ...certificates, rejectUnauthorized: false },
    isTlsOptional,
    warning: `sslmode=${mode} does not verify the server; sslmode=verify-full with sslrootcert does`,
  };
}

function fileOf(params: Map<string, string>, name: string): string | undefined {
  const path = params.get(name);
  if (path === undefined) return undefined;
  // In libpq this means the authorities of the system. Without a file, Node.js uses its built-in list.
  if (name === 'sslrootcert' && path === 'system') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new DatabaseUrlError(`${name} cannot be read: ${(error as Error).message}`);
  }
}

function numberOf(params: Map<string, string>, name: string, min: number): number | undefined {
  const text = params.get(name);
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text) && Number(text) >= min) return Number(text);
  throw new DatabaseUrlError(`${name} must be a whole number from ${min} to 999999; not "${text}"`);
}

function secondsOf(params: Map<string, string>, name: string): number | undefined {
  const seconds = numberOf(params, name, 0);
  return seconds === undefined ? undefined : seconds * 1000;
}
