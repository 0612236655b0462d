import { join } from 'node:path';
import t from 'tap';
import { DatabaseUrlError, targetOf } from '../../../plugins/database/url.js';
import { loadConfig } from '../../../src/config/index.js';
import { skipFileOnEmbedded } from '../../database.js';

skipFileOnEmbedded();

const base = 'postgresql://app:hunter2@db.example:5433/music';
const ca = join(t.testdir({ 'ca.pem': 'the authority' }), 'ca.pem');

t.test('sslmode has the same meaning as in libpq', async (t) => {
  const tls = (params: string) => targetOf(`${base}?${params}`);
  t.match(targetOf(base), { ssl: undefined, isTlsOptional: false, warnings: [] });
  t.match(tls('sslmode=disable'), { ssl: false, isTlsOptional: false, warnings: [] });
  t.match(tls('sslmode=prefer'), { ssl: { rejectUnauthorized: false }, isTlsOptional: true });
  t.match(tls('sslmode=require'), { ssl: { rejectUnauthorized: false }, isTlsOptional: false });
  t.match(tls('sslmode=require').warnings, [/^sslmode=require does not verify the server/]);
  const withCa = tls(`sslmode=require&sslrootcert=${ca}`);
  t.match(withCa, { ssl: { ca: 'the authority' }, warnings: [] });
  t.notMatch(
    withCa.ssl,
    { rejectUnauthorized: false },
    'with a certificate authority the server is verified, as in libpq',
  );
  t.match(tls(`sslmode=verify-ca&sslrootcert=${ca}`).ssl, { ca: 'the authority', checkServerIdentity: Function });
  t.strictSame(tls(`sslmode=verify-full&sslrootcert=${ca}`).ssl, { ca: 'the authority' });
  t.strictSame(tls('sslmode=verify-full&sslrootcert=system').ssl, {});
});

t.test('connection parameters of Prisma are applied, and unknown ones are listed in one warning', async (t) => {
  const target = targetOf(
    `${base}?schema=s&connection_limit=4&pool_timeout=7&connect_timeout=3&pgbouncer=true&application_name=orders&options=-c%20geqo%3Doff&socket_timeout=9&statement_cache_size=0`,
  );
  t.match(target, {
    schema: 's',
    poolSize: 4,
    poolTimeoutMs: 7_000,
    connectTimeoutMs: 3_000,
    isPooled: true,
    applicationName: 'orders',
    warnings: ['ignores the parameters socket_timeout, statement_cache_size'],
  });
  t.equal(target.connectionString, `${base}?application_name=orders&options=-c+geqo%3Doff`);
});

t.test('an invalid URL is rejected with one line that names the variable and the fix, without secrets', async (t) => {
  const cases: [url: string, message: RegExp][] = [
    [base.replace('/music', '/'), /^DATABASE_URL names no database; /],
    [`${base}?sslmode=verify`, /^DATABASE_URL sslmode must be one of disable, /],
    [`${base}?sslmode=verify-ca`, /^DATABASE_URL sslmode=verify-ca needs sslrootcert/],
    [`${base}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`, /^DATABASE_URL sslrootcert cannot be read: ENOENT/],
    [`${base}?sslrootcert=${ca}`, /^DATABASE_URL has certificates but no sslmode; /],
    [`${base}?connection_limit=0`, /^DATABASE_URL connection_limit must be a whole number from 1 to /],
    [`${base}?connect_timeout=soon`, /^DATABASE_URL connect_timeout must be a whole number/],
  ];
  for (const [url, message] of cases) {
    t.throws(() => targetOf(url), DatabaseUrlError);
    try {
      loadConfig({ DATABASE_URL: url });
      t.fail(url);
    } catch (error) {
      t.match((error as Error).message, message);
      t.notMatch((error as Error).message, /hunter2|\n/);
    }
  }
});
