import type { Test } from 'tap';
import { sealed } from '../../../../plugins/request-log/batch.js';
import { matcherOf, type RequestLogFilter } from '../../../../plugins/request-log/filter.js';
import { maxGroupedRequests } from '../../../../plugins/request-log/groups.js';
import type { RequestRecord } from '../../../../plugins/request-log/record.js';
import type { RequestLogRow } from '../../../../plugins/request-log/row.js';
import { maxBatchRows, type RequestLogStore } from '../../../../plugins/request-log/store.js';
import { firstIdAt, timeInId } from '../../../../plugins/time-ordered-id.js';
import { record } from '../records.js';

/** A store under test, which is empty. */
export interface StoreUnderTest {
  store: RequestLogStore;
  /** A record that the store cannot store. */
  poison: Partial<RequestRecord>;
  /** Runs maintenance with `day` as today. Rows are kept for 30 days, statistics by hour for 60. */
  maintainOn(day: Date): Promise<void>;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
const key = '019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a49';
const otherKey = '019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a50';
const traceId = '0af7651916cd43dd8448eb211c80319c';
const maxPercentileError = 0.2;

/** Tests what each store guarantees. */
export async function testStore(t: Test, open: (t: Test) => Promise<StoreUnderTest>): Promise<void> {
  const { store, poison, maintainOn } = await open(t);
  // In the past, so that no request arrives later; on a whole hour, so that all statistics begin with it.
  const start = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 2 * 3_600_000;
  let sequence = 0;
  /** A record that arrived so many milliseconds after the start. */
  const at = (ms: number, fields: Partial<RequestRecord> = {}) => {
    const first = firstIdAt(new Date(start + ms));
    return record({ ...fields, id: first.slice(0, -12) + String(sequence++).padStart(12, '0') });
  };
  const timeAt = (ms: number) => new Date(start + ms).toISOString();
  const rangeOf = (from: number, to: number) => ({
    from: new Date(start + from),
    to: new Date(start + to),
    minutesSince: new Date(0),
    isExact: true,
  });
  const write = (records: readonly RequestRecord[]) => store.write(sealed(records));
  const pathsOf = (rows: readonly { path: string }[]) => rows.map(({ path }) => path);

  await t.test('a row has all fields of its record', async (t) => {
    const plain = at(0, { path: '/plain' });
    const full = at(1, {
      ...{ method: 'POST', path: '/full', route: '/:any', statusCode: 503, durationMs: 12.6, ip: '2001:db8::1' },
      ...{ userAgent: 'agent "1" \\ \u{1f511}', apiKeyId: key, ownerId: 'owner', outcome: 'VALID', traceId },
    });
    const verified = at(2, {
      ...{ path: '/verified', apiKeyId: key, ownerId: 'service', outcome: 'VALID' },
      verification: {
        apiKeyId: otherKey,
        ownerId: 'customer',
        outcome: 'DISABLED',
        client: { ip: '::1', tags: ['a'] },
      },
    });
    t.strictSame(await write([plain, full, verified]), []);
    t.strictSame(plainOf(await store.get(plain.id)), {
      ...{ id: plain.id, createdAt: new Date(start), method: 'GET', path: '/plain', route: '/', statusCode: 200 },
      ...{ duration: 1, ip: '', userAgent: null, apiKeyId: null, outcome: null, ownerId: null },
      ...{ verifiedApiKeyId: null, verification: null, traceId: null },
    });
    t.match(await store.get(full.id), {
      ...{
        createdAt: new Date(start + 1),
        method: 'POST',
        route: '/:any',
        statusCode: 503,
        duration: 13,
        ip: '2001:db8::1',
      },
      ...{ userAgent: 'agent "1" \\ \u{1f511}', apiKeyId: key, ownerId: 'owner', outcome: 'VALID', traceId },
    });
    t.match(await store.get(verified.id), {
      ...{ apiKeyId: key, ownerId: 'customer', outcome: 'DISABLED', verifiedApiKeyId: otherKey },
      verification: { ip: '::1', tags: ['a'] },
    });
    t.equal(await store.get(at(3).id), null);
  });

  await t.test('each filter matches the same requests in the store and in the live stream', async (t) => {
    const [from, to] = [10 * minuteMs, 20 * minuteMs];
    const records = [
      {},
      { method: 'POST', path: '/v1/orders/1', route: '/v1/orders/:id', statusCode: 201, durationMs: 20 },
      { path: '/v1/orders', route: '/v1/orders', statusCode: 404, durationMs: 499.4, ip: '203.0.113.7' },
      { path: '/50%_\\off', route: '', statusCode: 404, userAgent: 'Agent%' },
      { path: '/v1/me', route: '/v1/me', statusCode: 500, durationMs: 1_000, apiKeyId: key, ownerId: 'owner' },
      { path: '/v1/me', route: '/v1/me', statusCode: 599, durationMs: 500, apiKeyId: otherKey, userAgent: 'okhttp/5' },
      { path: '/v1/api-keys', route: '/v1/api-keys', apiKeyId: key, traceId },
      { method: 'DELETE', path: '/v1/api-keys/x', route: '/v1/api-keys/:id', ip: '2001:db8::1' },
      { path: '/verify', verification: { apiKeyId: otherKey, ownerId: 'customer', outcome: 'VALID', client: {} } },
    ].map((fields, i) => at(from + i, { outcome: null, ...fields } as Partial<RequestRecord>));
    await write(records);
    const filters: RequestLogFilter[] = [
      {},
      { method: 'POST' },
      { path: '/v1/me' },
      { pathPrefix: '/v1/orders' },
      { pathPrefix: '/50%_\\' },
      { pathPart: '%_\\' },
      { pathPart: 'order' },
      { route: '' },
      { route: '/v1/orders/:id' },
      { statusCode: 404 },
      { statusCode: '5xx' },
      { statusCode: '>=500' },
      { statusCode: '<=201' },
      { minDuration: 499 },
      { minDuration: 500 },
      { maxDuration: 20 },
      { minDuration: 500, maxDuration: 500 },
      { apiKeyId: key },
      { hasKey: true },
      { hasKey: false },
      { verifiedApiKeyId: otherKey },
      { ownerId: 'owner' },
      { ownerId: 'customer' },
      { ip: '203.0.113.7' },
      { ip: '2001:DB8:0::1' },
      { userAgent: 'OKHTTP' },
      { userAgent: 'agent%' },
      { traceId },
      { excludeManagement: true },
      { method: 'GET', statusCode: '4xx', pathPrefix: '/v1' },
    ];
    const range = { from: timeAt(from), to: timeAt(to) };
    for (const filter of filters) {
      const expected = records.filter(matcherOf(filter)).map(({ id }) => id);
      t.ok(expected.length > 0, `${JSON.stringify(filter)} selects a record`);
      const found = await store.page({ ...range, ...filter }, 100);
      t.strictSame(
        found.map(({ id }) => id),
        expected.toReversed(),
        JSON.stringify(filter),
      );
      t.strictSame(await allOf(store.pages({ ...range, ...filter })), expected, 'and in an export');
    }
    const slowest = await store.slowest({ ...range, route: '/v1/me' }, 10, true);
    t.strictSame(
      slowest.map(({ duration }) => duration),
      [1_000, 500],
    );
    t.equal((await store.slowest(range, 10, false)).length, 2, 'only durations that are indexed');
    t.equal((await store.slowest(range, 10, true)).length, records.length);
    t.match(await store.groups('error', range), {
      groups: [{ route: '/v1/me', statusCode: 599 }, { statusCode: 500 }, { route: '', statusCode: 404 }, {}],
      readSince: null,
    });
    t.match((await store.groups('apiKeyId', range)).groups[0], { apiKeyId: null, count: records.length - 3 });
    t.strictSame(await store.edges(range), { first: records[0]?.id, last: records.at(-1)?.id });
    t.equal(await store.edges({ from: timeAt(to - 1), to: timeAt(to) }), null);
  });

  await t.test('a range includes its start and excludes its end', async (t) => {
    const from = 30 * minuteMs;
    await write([-1, 0, 9, 10].map((ms) => at(from + ms, { path: `/${ms}` })));
    const rows = await store.page({ from: timeAt(from), to: timeAt(from + 10) }, 100);
    t.strictSame(pathsOf(rows), ['/9', '/0']);
  });

  await t.test('a cursor reads each row once, while others are written', async (t) => {
    const from = 40 * minuteMs;
    const records = Array.from({ length: 300 }, (_, i) => at(from + i, { path: '/paged' }));
    await write(records);
    const read: RequestLogRow[] = [];
    for (let before: string | undefined; ; before = read.at(-1)?.id) {
      const [page] = await Promise.all([
        store.page({ path: '/paged' }, 70, before),
        write([at(from + 1_000, { path: '/paged' })]),
      ]);
      if (page.length === 0) break;
      read.push(...page);
    }
    const ids = new Set(read.map(({ id }) => id));
    t.equal(ids.size, read.length);
    t.ok(records.every(({ id }) => ids.has(id)));
    const pages = store.pages({ path: '/paged', to: timeAt(from + 1_000) });
    await pages.next();
    await pages.return(undefined);
  });

  await t.test('counts are exact and percentiles within 20 %, by minute, route, status, key and owner', async (t) => {
    const from = 60 * minuteMs;
    const records = Array.from({ length: 1_000 }, (_, i) => {
      const isFailed = i % 100 === 0;
      const fields = { route: `/stats/${i % 2}`, statusCode: isFailed ? 500 : 200, durationMs: 1 + (i % 100) };
      const checked =
        i % 4 === 0 ? { apiKeyId: key, ownerId: 'owner', outcome: i % 8 === 0 ? 'VALID' : 'EXPIRED' } : {};
      return at(from + (i % 10) * minuteMs, { ...fields, ...checked });
    });
    for (let i = 0; i < records.length; i += 400) await write(records.slice(i, i + 400));
    const range = rangeOf(from, from + 10 * minuteMs);
    const { total, series, routes, statuses, keys } = await store.stats({ ...range, interval: 60 });
    t.match(total, { count: 1_000, errors: 10, statusClasses: { '2xx': 990, '5xx': 10 } });
    t.strictSame(
      series.map(({ count }) => count),
      Array(10).fill(100),
    );
    t.match(routes, [
      { method: 'GET', route: '/stats/0', count: 500, errors: 10 },
      { count: 500, errors: 0 },
    ]);
    t.match(statuses, [
      { statusCode: 200, count: 990 },
      { statusCode: 500, count: 10 },
    ]);
    t.match(keys, [{ apiKeyId: key, count: 250, errors: 10 }]);
    for (const [share, percentile] of [
      [50, total.p50],
      [95, total.p95],
      [99, total.p99],
    ] as const)
      t.ok(Math.abs((percentile ?? 0) - share) <= maxPercentileError * share, `p${share} is ${percentile}`);
    t.match(await store.stats({ ...range, route: '/stats/0', statusCode: '5xx' }), {
      total: { count: 10 },
      keys: null,
    });
    t.match(await store.keyStats({ ...range, interval: 600, apiKeyIds: [key, otherKey] }), {
      keys: [{ apiKeyId: key, count: 250, errors: 10, series: [{ start: new Date(start + from), count: 250 }] }],
    });
    const checks = { count: 250, outcomes: { VALID: 125, EXPIRED: 125 } };
    t.match(await store.usage({ ...range, apiKeyId: key }), { total: checks });
    t.match(await store.usage({ ...range, ownerId: 'nobody' }), { total: { count: 0 } });
    t.match(await store.owners(range), { owners: [{ ownerId: 'owner', ...checks }] });
    await write([
      at(from, { apiKeyId: key, outcome: 'RATE_LIMITED' }),
      at(from, { apiKeyId: key, outcome: 'QUOTA_EXCEEDED' }),
    ]);
    t.match(await store.limitedKeys(range), { keys: [{ apiKeyId: key, rateLimited: 1, quotaExceeded: 1 }] });
  });

  await t.test('a batch that is sent again is stored and counted once', async (t) => {
    const from = 80 * minuteMs;
    const batch = Array.from({ length: 20 }, (_, i) =>
      at(from + i, { path: '/again', route: '/again', apiKeyId: key, outcome: 'VALID' }),
    );
    for (let i = 0; i < 3; i++) t.strictSame(await write(batch), []);
    t.equal((await store.page({ path: '/again' }, 100)).length, batch.length);
    const range = rangeOf(from, from + minuteMs);
    t.match(await store.stats({ ...range, route: '/again' }), { total: { count: batch.length } });
    t.match(await store.usage({ ...range, apiKeyId: key }), { total: { count: batch.length } });
  });

  await t.test('of a batch of an earlier version, only records that are not stored yet are added', async (t) => {
    const from = 85 * minuteMs;
    const records = Array.from({ length: 20 }, (_, i) => at(from + i, { path: '/earlier', route: '/earlier' }));
    await write(records.slice(0, 4));
    await write(records.slice(9, 12));
    for (let i = 0; i < 2; i++) t.strictSame(await store.write({ id: null, records }), []);
    t.equal((await store.page({ path: '/earlier' }, 100)).length, records.length);
    const range = rangeOf(from, from + minuteMs);
    t.match(await store.stats({ ...range, route: '/earlier' }), { total: { count: records.length } });
  });

  await t.test('a record that cannot be stored does not keep the others out', async (t) => {
    const from = 90 * minuteMs;
    const batch = Array.from({ length: 9 }, (_, i) => at(from + i, { path: '/poisoned', ...(i === 4 && poison) }));
    t.strictSame(await write(batch), [batch[4]]);
    await write(batch);
    t.equal((await store.page({ from: timeAt(from), to: timeAt(from + 100) }, 100)).length, batch.length - 1);
  });

  await t.test('a full batch is stored, and groups count the newest of its requests', async (t) => {
    const from = 100 * minuteMs;
    const batch = Array.from({ length: maxBatchRows }, (_, i) => at(from + i, { ip: i % 2 ? '::1' : '::2' }));
    await write(batch);
    await write([at(from + maxBatchRows, { ip: '::2' })]);
    const { groups, readSince } = await store.groups('ip', { from: timeAt(from), to: timeAt(from + 2 * maxBatchRows) });
    t.equal(
      groups.reduce((sum, { count }) => sum + count, 0),
      maxGroupedRequests,
    );
    t.strictSame(readSince, new Date(timeInId(batch[0]?.id ?? '')));
  });

  await t.test('rows and statistics are kept as long as configured', async (t) => {
    const filter = { from: timeAt(0), to: timeAt(120 * minuteMs) };
    const range = { ...rangeOf(0, 120 * minuteMs), isExact: false, interval: 3_600 };
    const { total } = await store.stats(range);
    await maintainOn(new Date(start + 29 * dayMs));
    t.ok((await store.page(filter, 1)).length > 0);
    await maintainOn(new Date(start + 32 * dayMs));
    t.equal((await store.page(filter, 1)).length, 0);
    t.match(await store.stats(range), { total: { count: total.count } }, 'statistics by hour are kept longer');
    await maintainOn(new Date(start + 62 * dayMs));
    t.match(await store.stats(range), { total: { count: 0 } });
  });
}

async function allOf(pages: AsyncIterable<RequestLogRow[]>): Promise<string[]> {
  const ids: string[] = [];
  for await (const rows of pages) ids.push(...rows.map(({ id }) => id));
  return ids;
}

/** Copies a row to a plain object: `strictSame` also compares prototypes. */
function plainOf(row: RequestLogRow | null) {
  return row && { ...row };
}
