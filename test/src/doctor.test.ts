import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createTestDatabase, needsPostgres, onPostgres, runAdminSql, skipFileOnEmbedded } from '../database.js';
import { run } from '../process.js';
import { temporaryDirectory } from '../temporary-directory.js';

skipFileOnEmbedded();

const database = await createTestDatabase();

async function doctor(variables: NodeJS.ProcessEnv) {
  const { exited, stdout, stderr } = run('dist/src/cli.js', ['doctor'], { ...database, ...variables });
  return { code: await exited, stdout: stdout(), stderr: stderr() };
}

t.test('a database that the service can use has no failed check', async (t) => {
  const { code, stdout, stderr } = await doctor({});
  t.strictSame([code, stderr], [0, '']);
  for (const name of ['variables', 'database', 'migrations', 'spool'])
    t.match(stdout, new RegExp(`^ok +${name} `, 'm'));
  if (!onPostgres) return;
  for (const name of ['version', 'writable', 'rights', 'tls', 'clock', 'notifications'])
    t.match(stdout, new RegExp(`^ok +${name} `, 'm'));
});

t.test('what does not work fails with a remedy, and without a password', { skip: needsPostgres }, async (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  const { code, stdout, stderr } = await doctor({
    DATABASE_URL: 'postgresql://app:hunter2@127.0.0.1:1/app',
    REDIS_URL: 'redis://:hunter2@127.0.0.1:1',
    REQUEST_LOG_URL: 'clickhouse://app:hunter2@127.0.0.1:1/app',
    DATA_DIR: file,
  });
  t.equal(code, 1);
  t.match(stdout, /^failed +database +DATABASE_URL: .*; start it, or correct the URL$/m);
  t.match(stdout, /^failed +redis +REDIS_URL: .*ECONNREFUSED.*; each replica .*$/m);
  t.match(stdout, /^failed +clickhouse +REQUEST_LOG_URL: .*ECONNREFUSED.*; the request log goes to the spool: .*$/m);
  t.match(stdout, /^failed +spool +DATA_DIR: ENOTDIR.*$/m);
  t.match(stderr, /^musicez: 4 checks failed$/m);
  t.notMatch(stdout + stderr, 'hunter2');
});

t.test('a role without rights and a database that only reads are reported', { skip: needsPostgres }, async (t) => {
  const role = `musicez_weak_${process.pid}`;
  await runAdminSql(`CREATE ROLE ${role} LOGIN`);
  t.teardown(() => runAdminSql(`DROP ROLE ${role}`));
  const url = new URL(database.DATABASE_URL ?? '');
  url.username = role;
  url.searchParams.set('options', '-c default_transaction_read_only=on');
  const { code, stdout } = await doctor({ DATABASE_URL: url.href });
  t.equal(code, 1);
  t.match(
    stdout,
    /^failed +rights +the role lacks rights on api_key_events \(SELECT, INSERT\), .*settled_batches \(.*restricted role/m,
  );
  t.match(stdout, /^failed +writable +.*DATABASE_URL must name the primary$/m);
});
