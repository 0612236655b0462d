import t from 'tap';
import { openDatabase } from '../../../plugins/database/open.js';
import { ChargeStore } from '../../../plugins/request-log/stores/postgres/charge-store.js';
import { loadConfig, version } from '../../../src/config/index.js';
import { createTestDatabase } from '../../database.js';
import { openEarlier } from '../database/earlier.js';

t.test('the charges of a batch are settled once, in a database of the version before', async (t) => {
  const own = loadConfig(await createTestDatabase({ migrated: false })).database;
  const { database: earlier } = await openEarlier(t, own, '20261128100000');
  await earlier.close();
  const database = openDatabase(own);
  t.teardown(() => database.close());
  await database.start(() => {});
  await database.migrate(version);
  const store = new ChargeStore(database);
  const start = Date.UTC(2026, 10, 1);
  const charge = (units: number) => ({ kind: 'key' as const, id: 'metered', start, units, replica: 'first' });
  const total = { kind: 'key', id: 'metered', start };
  t.strictSame(await store.settle('batch', [charge(2), charge(3)]), [{ ...total, used: 5 }]);
  t.strictSame(await store.settle('batch', [charge(2), charge(3)]), [{ ...total, used: 5 }], 'the total, unchanged');
  t.strictSame(await store.settle('next', [charge(1)]), [{ ...total, used: 6 }]);
});
