import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { digestOf, generateKey } from '../../plugins/api-keys/key-format.js';
import { needsCluster, startCluster } from '../cluster.js';
import { createTestDatabase, needsPostgres, skipFileOnEmbedded } from '../database.js';
import { BreakableDatabase } from '../plugins/database/proxy.js';
import { type ReceivedSpan, startCollector } from '../plugins/tracing/collector.js';
import { run, startService } from '../process.js';
import { temporaryDirectory } from '../temporary-directory.js';

skipFileOnEmbedded();

/** With characters that have to be escaped in a URL. */
const password = 'p@ss/w0rd #?1';
const redisPassword = 'r3dis:p@ss/w0rd';
const collectorToken = 'c0llector:t0ken';
const admin = generateKey('mez');

/** The secrets to search for, by name; each new key is added. */
const secrets = new Map([
  ['the password of the database', password],
  ['the password of Redis', redisPassword],
  ['the token of the collector', collectorToken],
  ['the admin key', admin],
]);

/** Returns the names of the secrets that a text contains, as they are or encoded. */
function secretsIn(text: string): string[] {
  return [...secrets].filter(([, secret]) => formsOf(secret).some((form) => text.includes(form))).map(([name]) => name);
}

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const url = new URL('x://host');
  url.password = secret;
  const inJson = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    inJson,
    encodeURIComponent(secret),
    url.password,
    ...(['base64', 'base64url', 'hex'] as const).map((as) => bytes.toString(as).replace(/=+$/, '')),
  ];
}

/** All output, by destination. */
const outputs = new Map<string, string>();
const addOutput = (where: string, text: string) => outputs.set(where, (outputs.get(where) ?? '') + text);

t.test('the search finds every form of a secret', async (t) => {
  for (const [name, secret] of secrets) {
    for (const form of formsOf(secret)) t.strictSame(secretsIn(`{"err":"${form}"}`), [name]);
  }
  t.strictSame(secretsIn('nothing'), []);
});

t.test(
  'a full run writes no key or password to a log, a response, a metric, a span, the spool, a crash report or a table',
  { skip: needsPostgres },
  async (t) => {
    const own = await createTestDatabase();
    const database = new BreakableDatabase(own.DATABASE_URL ?? '');
    await database.listen();
    const reports = temporaryDirectory(t);
    const collector = await startCollector(t);
    const variables = {
      DATA_DIR: own.DATA_DIR,
      DATABASE_URL: withPassword(database.url),
      REDIS_URL: `redis://:${encodeURIComponent(redisPassword)}@127.0.0.1:1`,
      BOOTSTRAP_ADMIN_KEY: admin,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=${encodeURIComponent(collectorToken)}`,
      LOG_LEVEL: 'trace',
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --report-on-signal --report-signal=SIGWINCH --report-directory=${reports} --import=data:text/javascript,process.on('SIGPROF',()=>{throw/**/Error('crash')})`,
    };

    const first = await startService(variables);
    await useKeys(first.url);
    first.child.kill('SIGWINCH');
    await until(() => readdirSync(reports).some((file) => isComplete(join(reports, file))));

    await database.break();
    const spool = join(own.DATA_DIR, 'spool');
    await until(async () => {
      await useKeys(first.url);
      return filesIn(spool).some((file) => file.includes('/v1/me'));
    });
    for (const file of filesIn(spool)) addOutput('spool', file);
    first.child.kill('SIGPROF');
    await first.exited;
    t.match(first.stdout(), 'unexpected error, stopping');
    for (const file of filesIn(spool)) addOutput('spool', file);

    await database.listen();
    const second = await startService(variables);
    await second.waitFor(/the spool is empty/);
    await useKeys(second.url);
    second.child.kill('SIGTERM');
    t.equal(await second.exited, 0);
    for (const { stdout, stderr } of [first, second]) addOutput('log', stdout() + stderr());

    t.match(collector.received.headers, { authorization: collectorToken });
    addOutput('spans', JSON.stringify(collector.spans));
    for (const [name, secret] of secrets)
      t.notOk(JSON.stringify(collector.spans).includes(digestOf(secret)), `no digest of ${name} in a span`);
    const isServerError = ({ kind, status, attributes }: ReceivedSpan) =>
      kind === 2 && status.code === 2 && status.message === '' && /^5\d\d$/.test(`${attributes['error.type']}`);
    t.ok(collector.spans.some(isServerError), 'the outage is in the spans');

    await useShell(variables);
    for (const file of filesIn(reports)) addOutput('crash report', file);
    for (const [table, rows] of await rowsOf(own.DATABASE_URL ?? '')) addOutput(`table ${table}`, rows);

    for (const where of [
      'log',
      'answers',
      '/metrics',
      '/health',
      'spans',
      'spool',
      'crash report',
      'table api_keys',
      'table request_logs',
      'table api_key_events',
    ])
      t.ok(outputs.get(where), `${where} was searched`);
    t.match(outputs.get('crash report'), '"environmentVariables"');
    for (const [where, text] of outputs) t.strictSame(secretsIn(text), [], where);
  },
);

t.test('a failed start writes no password', async (t) => {
  const { DATA_DIR } = await createTestDatabase();
  const escaped = encodeURIComponent(password);
  for (const variables of [
    { DATABASE_URL: `mysql://root:${escaped}@db/x` },
    { DATABASE_URL: `postgresql://root:${password}@db/x` },
    { DATABASE_URL: `postgresql://root:${escaped}%E0@db/x` },
    { DATABASE_URL: `postgresql://root:${escaped}@db:99999/x` },
    { SHADOW_DATABASE_URL: `file://${escaped}` },
    { REDIS_URL: `http://:${escaped}@redis` },
    { REQUEST_LOG_URL: `http://default:${escaped}@clickhouse/musicez` },
    { REQUEST_LOG_URL: `clickhouse://default:${escaped}@clickhouse/musicez/x` },
    { REQUEST_LOG_URL: `clickhouse://default:${password}@clickhouse/musicez` },
    { REDIS_URL: `redis://:${escaped}%zz@redis` },
    { BOOTSTRAP_ADMIN_KEY: `${admin}x` },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector', OTEL_EXPORTER_OTLP_HEADERS: `authorization: ${password}` },
    { OTEL_EXPORTER_OTLP_ENDPOINT: `http://:${escaped}@collector` },
  ] as NodeJS.ProcessEnv[]) {
    const service = run('dist/src/server.js', [], {
      DATA_DIR,
      DATABASE_URL: '',
      PORT: '0',
      LOG_LEVEL: 'trace',
      ...variables,
    });
    t.equal(await service.exited, 1);
    t.match(service.stderr(), /^musicez: [A-Z_]+ [^\n]+\n$/);
    t.strictSame(secretsIn(service.stdout() + service.stderr()), [], service.stderr());
  }
});

t.test('a password that the database rejects is not in the output', { skip: needsCluster }, async (t) => {
  const cluster = await startCluster(t);
  await cluster.query(
    'postgres',
    `COPY (SELECT 'local all all scram-sha-256') TO '${await cluster.query('postgres', 'SHOW hba_file')}'`,
  );
  await cluster.query('postgres', `ALTER ROLE postgres PASSWORD 'another'; SELECT pg_reload_conf()`);
  const { DATA_DIR } = await createTestDatabase();
  const service = run('dist/src/server.js', [], {
    DATA_DIR,
    DATABASE_URL: withPassword(cluster.url),
    PORT: '0',
    LOG_LEVEL: 'trace',
  });
  t.equal(await service.exited, 1);
  t.match(service.stderr(), /^musicez: DATABASE_URL: password authentication failed[^\n]+correct user and password\n$/);
  t.strictSame(secretsIn(service.stdout() + service.stderr()), []);
});

function withPassword(url: string): string {
  return url.replace('@', `:${encodeURIComponent(password)}@`);
}

/** Sends valid and invalid keys to the service in every way, and collects all responses. */
async function useKeys(url: string) {
  const send = async (path: string, headers: Record<string, string>, method = 'GET', body?: object | string) => {
    const response = await fetch(url + path, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    let text = await response.text();
    const newKey = /"key":"(mez_\w{38})"/.exec(text)?.[1];
    if (response.status === 201 && newKey) {
      secrets.set(`key ${secrets.size}`, newKey);
      text = text.replace(newKey, '');
    }
    addOutput(
      path === '/metrics' || path === '/health' ? path : 'answers',
      JSON.stringify([...response.headers]) + text,
    );
    return { id: /"id":"([^"]+)"/.exec(text)?.[1], key: newKey ?? unknown };
  };
  const unknown = generateKey('mez');
  secrets.set(`key ${secrets.size}`, unknown);
  const as = { authorization: `Bearer ${admin}` };

  const { id, key } = await send('/v1/api-keys', as, 'POST', { name: 'used', scopes: ['verify'] });
  const rotated = await send(`/v1/api-keys/${id}/rotate`, as, 'POST', { graceSeconds: 0 });
  for (const presented of [admin, key, rotated.key, unknown, `${unknown}x`]) {
    for (const headers of [{ authorization: `Bearer ${presented}` }, { 'x-api-key': presented }] as Record<
      string,
      string
    >[]) {
      for (const path of ['/v1/me', '/v1/auth', '/v1/api-keys', '/nothing', '/v1/api-keys/%zz'])
        await send(path, headers);
      await send('/v1/api-keys/verify', headers, 'POST', { key: presented });
    }
    await send('/v1/me', { authorization: `Basic ${btoa(`x:${presented}`)}` });
    await send('/v1/me', { authorization: `Bearer ${presented}`, 'x-api-key': unknown });
    for (const path of [
      '/v1/me',
      '/v1/auth',
      '/v1/request-logs',
      '/nothing',
      '/%zz',
      `/v1/api-keys/${'x'.repeat(101)}`,
    ])
      await send(`${path}?key=${presented}&api_key=${presented}`, as);
    await send('/v1/me', { cookie: `key=${presented}`, referer: `http://x/?key=${presented}` });
    for (const body of [
      `{"key":"${presented}"`,
      `{"key":["${presented}"]}`,
      `{"key":"${presented}","scope":"${presented}"}`,
      `"${presented}"`,
    ])
      await send('/v1/api-keys/verify', as, 'POST', body);
  }
  for (const path of [
    `/v1/api-keys/${id}/events`,
    '/v1/request-logs/stats',
    '/v1/request-logs?limit=500',
    '/v1/request-logs/export?format=csv',
    '/v1/request-logs/groups?by=userAgent',
    '/documentation/json',
    '/metrics',
    '/health',
  ])
    await send(path, as);
}

/** Runs the key commands, and collects their output without the new keys. */
async function useShell(variables: NodeJS.ProcessEnv) {
  const keys = async (...args: string[]) => {
    const command = run('dist/src/cli.js', ['keys', ...args], variables);
    await command.exited;
    const newKey = /mez_\w{38}/.exec(command.stdout())?.[0];
    if (newKey) secrets.set(`key ${secrets.size}`, newKey);
    addOutput('shell', command.stdout().replace(newKey ?? '', '') + command.stderr());
    return command.stdout();
  };
  const id = /[0-9a-f-]{36}/.exec(await keys('create', '--name', 'shell'))?.[0] ?? '';
  await keys('rotate', id);
  await keys('list');
  await keys('show', id);
  await keys('revoke', id);
}

/** Returns all rows of all tables, as text. */
async function rowsOf(url: string): Promise<[table: string, rows: string][]> {
  const client = new pg.Client(url);
  await client.connect();
  t.teardown(() => client.end());
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  );
  return Promise.all(
    tables.map(async ({ name }) => {
      const { rows } = await client.query(`SELECT * FROM ${pg.escapeIdentifier(name)}`);
      return [name, rows.length > 0 ? JSON.stringify(rows) : ''] as [string, string];
    }),
  );
}

function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

function isComplete(report: string) {
  return readFileSync(report, 'utf8').trimEnd().endsWith('}');
}

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
