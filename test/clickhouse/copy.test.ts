import pino from 'pino';
import t from 'tap';
import { sealed } from '../../plugins/request-log/batch.js';
import { ClickHouseReader } from '../../plugins/request-log/stores/clickhouse/index.js';
import { BatchStore } from '../../plugins/request-log/stores/postgres/batch-store.js';
import { firstIdAt } from '../../plugins/time-ordered-id.js';
import { startApp } from '../app.js';
import { createTestDatabase, needsPostgres } from '../database.js';
import { record } from '../plugins/request-log/records.js';
import { run } from '../process.js';
import { needsClickHouse, TestClickHouse } from './server.js';

const dayMs = 86_400_000;

t.test(
  'the log moves from PostgreSQL to ClickHouse and back, and a copy that is repeated adds nothing',
  { skip: needsClickHouse || needsPostgres },
  async (t) => {
    const clickHouse = await TestClickHouse.start(t);
    const [own, other] = [await createTestDatabase(), await createTestDatabase()];
    const { database, prisma } = await startApp(own);
    const at = (ms: number, fields: object) => record({ id: firstIdAt(new Date(Date.now() - ms)), ...fields });
    const client = { ip: '::1', path: '/orders' };
    const verification = { apiKeyId: 'verified', ownerId: 'customer', outcome: 'DISABLED', client };
    const records = [
      at(40 * dayMs, { path: '/too-old' }),
      at(2 * dayMs, { apiKeyId: 'key', ownerId: 'owner', outcome: 'VALID', statusCode: 500, userAgent: 'agent' }),
      at(dayMs, { apiKeyId: 'caller', outcome: 'VALID', verification }),
      ...Array.from({ length: 2_500 }, (_, i) => at(60_000 - i, { path: `/${i}`, durationMs: i })),
    ];
    await new BatchStore(database, pino({ level: 'silent' })).write(sealed(records));
    const copy = async (database: typeof own, source: string) => {
      const variables = { ...database, REQUEST_LOG_URL: clickHouse.url };
      const command = run('dist/src/cli.js', ['logs', 'copy', source, '--days', '30'], variables);
      t.equal(await command.exited, 0, command.stderr());
      return command.stderr();
    };
    t.match(await copy(own, '--from-postgres'), '2502 rows copied, 0 were there already');
    t.match(await copy(own, '--from-postgres'), '0 rows copied, 2502 were there already');

    const reader = new ClickHouseReader(clickHouse.url);
    t.teardown(() => reader.close());
    const newest = await reader.page({}, 3_000);
    const rows = await prisma.requestLog.findMany({ where: { path: { not: '/too-old' } }, orderBy: { id: 'desc' } });
    t.strictSame(
      newest,
      rows.map((row) => ({ ...row })),
      'each row has all of its fields',
    );
    const range = { from: new Date(Date.now() - 3 * dayMs), to: new Date(), minutesSince: new Date(0), isExact: true };
    t.match(await reader.stats(range), { total: { count: 2_502, errors: 1 } });
    t.match(await reader.usage({ ...range, ownerId: 'customer' }), { total: { outcomes: { DISABLED: 1 } } });

    const { prisma: returned } = await startApp(other);
    t.match(await copy(other, '--from-clickhouse'), '2502 rows copied, 0 were there already');
    t.match(await copy(other, '--from-clickhouse'), '0 rows copied, 2502 were there already');
    t.strictSame(await returned.requestLog.findMany({ orderBy: { id: 'desc' } }), rows);

    const absent = { ...own, REQUEST_LOG_URL: 'clickhouse://127.0.0.1:1/x' };
    for (const [args, variables, message] of [
      [['copy', '--days', '3'], absent, 'requires --from-postgres or --from-clickhouse'],
      [['copy', '--from-postgres', '--days', '0'], absent, '--days must be'],
      [['copy', '--from-postgres', '--days', '99999'], absent, '--days must be'],
      [['copy', '--from-postgres', '--days', '3'], own, 'requires REQUEST_LOG_URL'],
      [['copy', '--from-postgres', '--days', '3'], absent, 'REQUEST_LOG_URL: ClickHouse does not answer'],
      [['export', '--format', 'csv'], absent, 'REQUEST_LOG_URL: ClickHouse does not answer'],
    ] as const) {
      const command = run('dist/src/cli.js', ['logs', ...args], variables);
      t.equal(await command.exited, 1);
      t.match(command.stderr(), message);
    }
    const exported = run('dist/src/cli.js', ['logs', 'export', '--format', 'csv'], {
      ...own,
      REQUEST_LOG_URL: clickHouse.url,
    });
    t.equal(await exported.exited, 0);
    t.equal(exported.stdout().trimEnd().split('\n').length, 2_503);
  },
);
