import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { firstIdAt } from '../../plugins/time-ordered-id.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';

skipFileOnEmbedded();

const page = readFileSync(join(root, 'docs/request-log.md'), 'utf8');
const dayMs = 86_400_000;

t.test('the SQL on the page moves a log that was too large for its migration into daily partitions', async (t) => {
  const { pool } = (await startApp(await createTestDatabase())).database;
  const [createPartitions = '', move = '', end = ''] = [...page.matchAll(/```sql\n([\s\S]*?)```/g)].map(
    ([, sql]) => sql,
  );
  const ages = [0, 3, 3, 29, 50];
  const now = Date.now();
  const ids = ages.map((age, i) => firstIdAt(new Date(now - age * dayMs - i)));
  await pool.query('CREATE TABLE request_logs_before (LIKE request_logs INCLUDING DEFAULTS)');
  await pool.query(
    `INSERT INTO request_logs_before (id, method, path, "statusCode", duration, ip)
     SELECT id, 'GET', '/before', 200, 1, '' FROM unnest($1::text[]) AS id`,
    [ids],
  );

  await pool.query(createPartitions);
  let statements = 1;
  while ((await pool.query(move)).rowCount) statements++;
  await pool.query(end);

  t.equal(statements, 2);
  const { rows } = await pool.query(
    `SELECT id, tableoid::regclass::text = 'request_logs_' || to_char(request_logs_day(id), 'YYYYMMDD') AS "isInItsDay"
     FROM request_logs WHERE path = '/before' ORDER BY id DESC`,
  );
  t.strictSame(
    rows,
    ids.slice(0, -1).map((id) => ({ id, isInItsDay: true })),
    'all rows except the expired one',
  );
});
