import pino from 'pino';
import t from 'tap';
import { sealed } from '../../plugins/request-log/batch.js';
import { ClickHouse } from '../../plugins/request-log/stores/clickhouse/client.js';
import { ClickHouseStore } from '../../plugins/request-log/stores/clickhouse/index.js';
import { setRetention } from '../../plugins/request-log/stores/clickhouse/schema.js';
import { firstIdAt } from '../../plugins/time-ordered-id.js';
import { record } from '../plugins/request-log/records.js';
import { testStore } from '../plugins/request-log/stores/suite.js';
import { needsClickHouse, TestClickHouse } from './server.js';

const dayMs = 86_400_000;
const log = pino({ level: 'silent' });
const noCharges = { settle: async () => true, async close() {} };

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
