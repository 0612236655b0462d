import t from 'tap';
import { PostgresStore } from '../../../../plugins/request-log/stores/postgres/index.js';
import { PartitionMaintenance } from '../../../../plugins/request-log/stores/postgres/partition-maintenance.js';
import { startApp } from '../../../app.js';
import { createTestDatabase } from '../../../database.js';
import { testStore } from './suite.js';

t.test('the store in PostgreSQL', (t) =>
  testStore(t, async () => {
    const { database, prisma, limits, log } = await startApp(await createTestDatabase());
    const retention = { retentionDays: 30, statsRetentionDays: 60, eventsRetentionDays: 0 };
    const maintenance = new PartitionMaintenance(database, retention, log);
    return {
      store: new PostgresStore(prisma, database, retention, log, limits.quotas),
      // The column has 32 bits.
      poison: { statusCode: 2 ** 40 },
      async maintainOn(day) {
        const { failures } = await maintenance.run(day.toISOString().slice(0, 10));
        t.equal(failures, 0);
      },
    };
  }),
);
