import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import pino from 'pino';
import t, { type Test } from 'tap';
import { isUnavailable } from '../../plugins/database/unavailable.js';
import { sealed } from '../../plugins/request-log/batch.js';
import { ClickHouse } from '../../plugins/request-log/stores/clickhouse/client.js';
import { ClickHouseStore } from '../../plugins/request-log/stores/clickhouse/index.js';
import { migrations, setRetention } from '../../plugins/request-log/stores/clickhouse/schema.js';
import { firstIdAt } from '../../plugins/time-ordered-id.js';
import { record } from '../plugins/request-log/records.js';
import { testStore } from '../plugins/request-log/stores/suite.js';
import { run } from '../process.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { needsClickHouse, TestClickHouse } from './server.js';

const dayMs = 86_400_000;
const log = pino({ level: 'silent' });
const noCharges = { async settle() {}, async close() {} };

t.test('the store in ClickHouse', { skip: needsClickHouse }, (t) =>
  testStore(t, async (t) => {
    const { url } = await TestClickHouse.start(t);
    const retention = { retentionDays: 30, statsRetentionDays: 60 };
    const store = new ClickHouseStore(url, retention, noCharges, log);
    t.teardown(() => store.close());
    await store.ready;
    const clickHouse = new ClickHouse(url);
    t.teardown(() => clickHouse.close());
    return {
      store,
      // The column has 32 bits.
      poison: { statusCode: 2 ** 40 },
      // ClickHouse decides by its own clock, so rows are kept for as many days less.
      async maintainOn(day) {
        const days = Math.ceil((day.getTime() - Date.now()) / dayMs);
        await setRetention(clickHouse, {
          retentionDays: retention.retentionDays - days,
          statsRetentionDays: retention.statsRetentionDays - days,
        });
        for (const table of ['request_logs', 'request_stats', 'request_stats_by_key', 'key_usage'])
          await clickHouse.execute(`OPTIMIZE TABLE ${table} FINAL`);
      },
    };
  }),
);

t.test(
  'replicas that start together create the tables once, and a batch that two of them send is stored once',
  {
    skip: needsClickHouse,
  },
  async (t) => {
    const { url } = await TestClickHouse.start(t);
    const clickHouse = new ClickHouse(url);
    t.teardown(() => clickHouse.close());
    const retention = { retentionDays: 30, statsRetentionDays: 400 };
    const replicas = [1, 2, 3].map(() => new ClickHouseStore(url, retention, noCharges, log));
    for (const replica of replicas) t.teardown(() => replica.close());
    await Promise.all(replicas.map(({ ready }) => ready));
    const names = await clickHouse.rows<{ name: string }>(
      'SELECT name FROM request_log_migrations FINAL ORDER BY name',
    );
    t.strictSame(
      names.map(({ name }) => name),
      migrations.map(({ name }) => name).toSorted(),
    );
    const batch = sealed([1, 2, 3, 4].map(() => record()));
    t.strictSame(await Promise.all(replicas.map((replica) => replica.write(batch))), [[], [], []]);
    t.strictSame(await countsOf(replicas[0] as ClickHouseStore), { rows: 4, stats: 4 });
  },
);

t.test('doctor finds ClickHouse', { skip: needsClickHouse }, async (t) => {
  const { url } = await TestClickHouse.start(t);
  const doctor = run('dist/src/cli.js', ['doctor'], { DATA_DIR: temporaryDirectory(t), REQUEST_LOG_URL: url });
  t.equal(await doctor.exited, 0);
  t.match(doctor.stdout(), /^ok +clickhouse +ClickHouse \d+\.\S+ at 127\.0\.0\.1:\d+\/\w+$/m);
});

t.test('the same retention changes no table', { skip: needsClickHouse }, async (t) => {
  const { url } = await TestClickHouse.start(t);
  const retention = { retentionDays: 30, statsRetentionDays: 400 };
  const store = new ClickHouseStore(url, retention, noCharges, log);
  t.teardown(() => store.close());
  await store.ready;
  const clickHouse = new ClickHouse(url);
  t.teardown(() => clickHouse.close());
  const statements = t.capture(clickHouse, 'execute', clickHouse.execute);
  await setRetention(clickHouse, retention);
  t.equal(statements().length, 0);
  await setRetention(clickHouse, { ...retention, retentionDays: 0 });
  t.equal(statements().length, 4);
  await setRetention(clickHouse, { ...retention, retentionDays: 0 });
  t.equal(statements().length, 0);
});

t.test(
  'rows of more days than ClickHouse accepts by default are stored together',
  { skip: needsClickHouse },
  async (t) => {
    const { url } = await TestClickHouse.start(t);
    const store = new ClickHouseStore(url, { retentionDays: 0, statsRetentionDays: 0 }, noCharges, log);
    t.teardown(() => store.close());
    await store.ready;
    const records = Array.from({ length: 150 }, (_, day) =>
      record({ id: firstIdAt(new Date(Date.now() - day * dayMs)) }),
    );
    t.strictSame(await store.write({ id: null, records }), []);
    t.equal((await store.page({}, 1_000)).length, 150);
  },
);

t.test('a batch that several replicas send again is stored and counted once', { skip: needsClickHouse }, async (t) => {
  const { url } = await TestClickHouse.start(t);
  const stores = [1, 2, 3].map(
    () => new ClickHouseStore(url, { retentionDays: 0, statsRetentionDays: 0 }, noCharges, log),
  );
  t.teardown(() => Promise.all(stores.map((store) => store.close())));
  await Promise.all(stores.map(({ ready }) => ready));
  const [store] = stores as [ClickHouseStore];
  const batches = [1, 2].map((n) =>
    sealed(Array.from({ length: 50 * n }, () => record({ apiKeyId: 'key', outcome: 'VALID' }))),
  );
  for (const batch of batches) await Promise.all([...stores, ...stores].map((each) => each.write(batch)));
  const now = Date.now();
  const range = { from: new Date(now - 60_000), to: new Date(now + 60_000), minutesSince: new Date(0), isExact: true };
  t.equal((await store.page({}, 1_000)).length, 150);
  t.match(await store.stats(range), { total: { count: 150 }, keys: [{ apiKeyId: 'key', count: 150 }] });
  t.match(await store.usage({ ...range, apiKeyId: 'key' }), { total: { count: 150 } });
});

/** Opens a store in a new database. @param proxied wraps its URL */
async function openStore(t: Test, proxied = async (_t: Test, url: string) => url) {
  const { url } = await TestClickHouse.start(t);
  const store = new ClickHouseStore(await proxied(t, url), { retentionDays: 0, statsRetentionDays: 0 }, noCharges, log);
  t.teardown(() => store.close());
  await store.ready;
  return store;
}

/** The number of rows, and of requests that the statistics count. */
async function countsOf(store: ClickHouseStore) {
  const now = Date.now();
  const range = {
    from: new Date(now - 3_600_000),
    to: new Date(now + 60_000),
    minutesSince: new Date(0),
    isExact: true,
  };
  const rows = await store.page({}, 1_000);
  return { rows: rows.length, stats: (await store.stats(range)).total.count };
}

t.test(
  'a batch whose response is lost after the commit is stored and counted once',
  { skip: needsClickHouse },
  async (t) => {
    let losesNextInsert = false;
    const store = await openStore(t, async (t, url) => {
      const target = new URL(url.replace('clickhouse:', 'http:'));
      const proxy = createServer(async (incoming, outgoing) => {
        const body = await buffer(incoming);
        const { authorization = '' } = incoming.headers;
        const response = await fetch(new URL(incoming.url ?? '', target), {
          method: incoming.method ?? 'POST',
          headers: { authorization },
          body,
        });
        const answer = await response.text();
        if (losesNextInsert && String(incoming.url).includes('insert_deduplication_token')) {
          losesNextInsert = false;
          return void incoming.socket.resetAndDestroy();
        }
        outgoing.writeHead(response.status).end(answer);
      }).listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      t.teardown(() => proxy.close());
      const { port } = proxy.address() as AddressInfo;
      return Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href;
    });
    const batch = sealed([1, 2, 3].map(() => record()));
    losesNextInsert = true;
    await t.rejects(store.write(batch));
    t.strictSame(await countsOf(store), { rows: 3, stats: 3 });
    t.strictSame(await store.write(batch), []);
    t.strictSame(await countsOf(store), { rows: 3, stats: 3 });
  },
);

t.test('a record that ClickHouse itself rejects does not keep the others out', { skip: needsClickHouse }, async (t) => {
  const store = await openStore(t);
  const records = [1, 2, 3, 4].map(() => record());
  const bad = record({ id: `${records[1]?.id.slice(0, -1)}x` });
  const batch = sealed([...records.slice(0, 2), bad, ...records.slice(2)]);
  t.strictSame(await store.write(batch), [bad]);
  t.strictSame(await store.write(batch), [bad], 'also when it is sent again');
  t.strictSame(await countsOf(store), { rows: 4, stats: 4 });
});

t.test('of an old batch, only rows that are not stored yet are added', { skip: needsClickHouse }, async (t) => {
  const store = await openStore(t);
  const records = Array.from({ length: 5 }, (_, i) => record({ id: firstIdAt(new Date(Date.now() - 1_800_000 + i)) }));
  t.strictSame(await store.write(sealed(records.slice(0, 2))), []);
  for (let i = 0; i < 2; i++) t.strictSame(await store.write(sealed(records)), []);
  t.strictSame(await countsOf(store), { rows: 5, stats: 5 });
});

t.test(
  'an error of a statement is not an outage, and no error names the user',
  { skip: needsClickHouse },
  async (t) => {
    const { url } = await TestClickHouse.start(t);
    const clickHouse = new ClickHouse(url);
    t.teardown(() => clickHouse.close());
    for (const statement of ['SELECT nothing', 'SELECT nothing()', 'SELEC 1']) {
      const error = await clickHouse.rows(statement).catch((error) => error);
      t.equal(isUnavailable(error), false, statement);
    }
    let answer = { code: '', text: '' };
    const denied = createServer((_request, response) => {
      response
        .writeHead(403, { 'x-clickhouse-exception-code': answer.code })
        .end(`Code: ${answer.code}. DB::Exception: somebody: ${answer.text}`);
    }).listen(0, '127.0.0.1');
    await once(denied, 'listening');
    t.teardown(() => denied.close());
    const other = new ClickHouse(
      `clickhouse://somebody:secret@127.0.0.1:${(denied.address() as AddressInfo).port}/log`,
    );
    t.teardown(() => other.close());
    const wrong = 'REQUEST_LOG_URL has a wrong user or password';
    for (const [code, text, message] of [
      ['516', 'Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)', wrong],
      ['192', 'There is no user `somebody`. (UNKNOWN_USER)', wrong],
      ['193', 'Password required for user somebody. (WRONG_PASSWORD)', wrong],
      [
        '497',
        'Not enough privileges. To execute this query, it is necessary to have the grant INSERT ON log. (ACCESS_DENIED)',
        /^the user of REQUEST_LOG_URL has too few rights: Not enough privileges.*INSERT ON log/,
      ],
    ] as const) {
      answer = { code, text };
      const error = await other.rows('SELECT 1').catch((error) => error);
      t.match(error.message, message, code);
      t.notMatch(error.message, 'somebody');
      t.equal(isUnavailable(error), true);
    }
  },
);
