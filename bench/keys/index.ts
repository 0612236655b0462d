import { cpus } from 'node:os';
import pg from 'pg';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { withCleanup } from '../../scripts/cleanup.js';
import { version } from '../../src/config/index.js';
import { BenchError } from '../bench-error.js';
import type { Progress } from '../progress.js';
import { type Answered, formatMs, measureQueries, type Query } from '../queries.js';
import { createScratch, nameOfDatabase } from '../scratch.js';
import { ServerProcess } from '../server-process.js';
import { service } from '../service.js';
import { measureImport } from './import-rate.js';

export interface KeyResults {
  musicez: string;
  node: string;
  cpu: string;
  database: string;
  keys: number;
  answered: Answered[];
  /** Keys a second that the API imports, a thousand at a time. */
  importRate: number;
}

const owners = 1_000;
const days = 30;
const maxMs = { page: 50, stats: 100 };
/** The number of keys that the targets are for. */
const manyKeys = 1_000_000;
/** 100,000 keys in a minute. */
const minImportRate = 100_000 / 60;

/** Keys of many owners, of which few are disabled, expire soon, or have a rare scope. Some were not used for long. */
const fillKeys = `
  INSERT INTO api_keys (id, key, start, name, scopes, active, "ownerId", "expiresAt", "createdAt", "updatedAt", "lastUsed",
    "lastUsedDay")
  SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid::text,
    encode(sha256(n::text::bytea), 'hex'), 'mez_' || substr(md5('s' || n), 1, 8),
    (ARRAY['mobile', 'partner', 'batch', 'website'])[1 + n % 4] || ' ' || substr(md5(n::text), 1, 6),
    CASE WHEN n % 5000 = 0 THEN '{rare:scope}' ELSE '{orders:read}' END::text[], n % 1000 <> 0, 'customer-' || n % ${owners},
    CASE WHEN n % 2000 = 0 THEN now() + interval '3 days' WHEN n % 3 = 0 THEN now() + interval '400 days' END,
    now() - interval '200 days', now(), CASE WHEN n % 500 = 0 THEN now() - interval '120 days' ELSE now() END,
    CASE WHEN n % 500 = 0 THEN now() - interval '120 days' ELSE now() END
  FROM generate_series($1::int, $2::int) AS n`;

const fillUsage = `
  INSERT INTO key_usage (period, start, "apiKeyId", "ownerId", outcome, shard, count)
  SELECT period, date_trunc('day', now()) - n * period * interval '1 second', 'key-' || owner, 'customer-' || owner, outcome, 0, 100
  FROM (VALUES (86400, ${days}), (3600, ${days} * 24)) AS periods (period, times), generate_series(0, times - 1) AS n,
    generate_series(0, ${owners} - 1) AS owner, unnest(ARRAY['VALID', 'RATE_LIMITED']) AS outcome`;

/**
 * Fills a database with keys, and measures lists of keys, usage and imports.
 *
 * @throws BenchError without `url`
 */
export async function measureKeys(keys: number, url: string | undefined, progress: Progress, signal: AbortSignal) {
  if (url === undefined) throw new BenchError('--keys requires DATABASE_URL');
  const database = await nameOfDatabase(url);
  return withCleanup(async (defer): Promise<KeyResults> => {
    const { url: scratchUrl = '', directory } = await createScratch(url, 'keys', defer);
    const key = generateKey('mez');
    const env = { DATABASE_URL: scratchUrl, DATA_DIR: directory, BOOTSTRAP_ADMIN_KEY: key, LOG_LEVEL: 'error' };
    const server = await ServerProcess.start(service, env, directory);
    defer(() => server.stop());
    await server.waitForOk('/readyz', signal);
    const client = new pg.Client(scratchUrl);
    await client.connect();
    defer(() => client.end());

    progress.begin(`inserting ${keys.toLocaleString('en-US')} keys`);
    // Without a notification and an event for each key.
    await client.query('SET session_replication_role = replica');
    for (let first = 1; first <= keys; first += 100_000) {
      signal.throwIfAborted();
      await client.query(fillKeys, [first, Math.min(keys, first + 99_999)]);
    }
    await client.query(fillUsage);
    await client.query('SET session_replication_role = origin');
    await client.query('VACUUM ANALYZE api_keys, key_usage');
    progress.end('done');

    progress.begin('queries');
    const answered = await measureQueries(server, key, await queriesOf(client), signal);
    progress.end('done');
    progress.begin('importing keys');
    const importRate = await measureImport(server, key, signal);
    progress.end(`${Math.round(importRate).toLocaleString('en-US')} keys/s`);
    return {
      musicez: version,
      node: process.versions.node,
      cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
      database,
      keys,
      answered,
      importRate,
    };
  });
}

async function queriesOf(client: pg.Client): Promise<Query[]> {
  const { rows } = await client.query<{ id: string }>('SELECT id FROM api_keys ORDER BY id OFFSET 1000 LIMIT 1');
  const inDays = (count: number) => new Date(Date.now() + count * 86_400_000).toISOString();
  const queries: Query[] = [
    ['newest keys', 'page', ''],
    ['keys of an owner', 'page', 'ownerId=customer-7'],
    ['keys of an owner, deep page', 'page', `ownerId=customer-7&cursor=${rows[0]?.id}`],
    ['search for a frequent word', 'page', 'q=mobile'],
    ['search for a rare text', 'page', 'q=c4ca42'],
    ['search for a start', 'page', 'q=mez_1b'],
    ['keys with a frequent scope', 'page', 'scope=orders:read'],
    ['keys with a rare scope', 'page', 'scope=rare:scope'],
    ['disabled keys', 'page', 'active=false'],
    ['keys that expire within a week', 'page', `expiresBefore=${inDays(7)}`],
    ['keys not used for 90 days', 'page', `lastUsedBefore=${inDays(-90)}`],
    ['rare scope of an owner', 'page', 'ownerId=customer-0&scope=rare:scope'],
  ];
  const usage: Query[] = [
    ['usage of an owner, 30 days', 'stats', `/v1/usage?ownerId=customer-7&from=${inDays(-days)}`],
    ['usage of an owner, by hour', 'stats', `/v1/usage?ownerId=customer-7&from=${inDays(-7)}&interval=3600`],
    ['busiest owners of 30 days', 'stats', `/v1/usage/owners?from=${inDays(-days)}`],
  ];
  return [...queries.map(([question, kind, query]): Query => [question, kind, `/v1/api-keys?${query}`]), ...usage];
}

/** The targets, and whether the run met them; undefined with too few keys. */
export function keyTargets({ keys, answered, importRate }: KeyResults) {
  const slowest = (kind: keyof typeof maxMs) =>
    Math.max(...answered.filter((answer) => answer.kind === kind).map(({ p95 }) => p95));
  const target = (target: string, isMet: boolean) => ({ target, isMet: keys >= manyKeys ? isMet : undefined });
  return [
    target(
      `every list within ${formatMs(slowest('page'))} at p95 (under ${maxMs.page} ms)`,
      slowest('page') < maxMs.page,
    ),
    target(
      `usage within ${formatMs(slowest('stats'))} at p95 (under ${maxMs.stats} ms)`,
      slowest('stats') < maxMs.stats,
    ),
    target(
      `${Math.round(importRate).toLocaleString('en-US')} keys imported a second (at least ${Math.ceil(minImportRate)})`,
      importRate >= minImportRate,
    ),
  ];
}

export function reportKeys(results: KeyResults): string {
  const { musicez, node, database, cpu, keys, answered } = results;
  const line = (name: string, ...cells: string[]) =>
    `${name.padEnd(34)}${cells.map((cell) => cell.padStart(10)).join('')}`;
  const outcome = { true: 'met', false: 'missed', undefined: 'not checked' };
  return [
    '',
    `musicez ${musicez}, Node.js ${node}, ${database}, ${cpu}`,
    `${keys.toLocaleString('en-US')} keys of ${owners.toLocaleString('en-US')} owners`,
    '',
    line('', 'p50', 'p95'),
    ...answered.map(({ question, p50, p95 }) => line(question, formatMs(p50), formatMs(p95))),
    '',
    ...keyTargets(results).map(({ target, isMet }) => `${outcome[`${isMet}`].padEnd(12)}${target}`),
    '',
  ].join('\n');
}
