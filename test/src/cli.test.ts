import t from 'tap';
import { onPostgres, ownDatabase } from '../database.js';
import { run, startService } from '../process.js';

const database = await ownDatabase();

async function keys(...args: string[]) {
  const command = run('src/cli.ts', ['keys', ...args], database);
  const code = await command.exited;
  return { code, out: command.stdout(), err: command.stderr() };
}

t.test('a key made from the shell opens the service', async (t) => {
  const { code, out } = await keys('create', '--name', 'ops', '--scope', 'admin', '--scope', 'read');
  t.equal(code, 0);
  const [key = ''] = /^mez_\w{38}$/m.exec(out) ?? [];
  const service = await startService(database);
  const me = await fetch(`${service.url}/v1/me`, { headers: { 'x-api-key': key } });
  t.match(await me.json(), { name: 'ops', scopes: ['admin', 'read'] });
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('keys are listed as a table and as JSON, and revoked by id', async (t) => {
  const created = JSON.parse(
    (await keys('create', '--name', 'short', '--expires-at', '2030-01-31T00:00:00Z', '--json')).out,
  );
  t.match(created, { name: 'short', scopes: [], expiresAt: '2030-01-31T00:00:00.000Z', key: /^mez_/ });
  const { out: table } = await keys('list');
  t.match(table, new RegExp(`^ID +START +NAME +SCOPES +STATE +EXPIRES\n${created.id}  ${created.start}  short `));
  t.notMatch(table, created.key);
  t.match(await keys('revoke', created.id), { code: 0, out: `${created.id} revoked\n` });
  t.match(JSON.parse((await keys('list', '--json')).out), [{ name: 'ops' }]);
});

t.test('a mistake is one line that says what to do, and exit code 1', async (t) => {
  for (const [args, message] of [
    [['create'], /^musicez: keys create needs --name NAME\n$/],
    [['create', '--name', 'x', '--scope', 'No Caps'], /^musicez: --scope takes [^\n]*\n$/],
    [['create', '--name', 'x', '--expires-at', 'never'], /^musicez: --expires-at takes [^\n]*\n$/],
    [['create', '--nmae', 'x'], /^musicez: Unknown option '--nmae'[^\n]*\n$/],
    [['revoke'], /^musicez: keys revoke needs the ID [^\n]*\n$/],
    [['revoke', 'nobody'], /^musicez: there is no key nobody\n$/],
    [['remove'], /^musicez: unknown command "keys remove": try "keys --help"\n$/],
  ] as const) {
    const { code, err } = await keys(...args);
    t.equal(code, 1);
    t.match(err, message);
  }
});

t.test('help needs no database', async (t) => {
  t.match(await keys('--help'), { code: 0, out: /^Usage: npm run keys -- COMMAND/ });
});

t.test('while the server has the embedded database open, the command says so', { skip: onPostgres }, async (t) => {
  await startService(database);
  const { code, err } = await keys('list');
  t.equal(code, 1);
  t.match(err, /^musicez: another process is using the embedded database in [^\n]*\n$/);
});
