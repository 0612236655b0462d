import t, { type Test } from 'tap';
import { runKeysCommand } from '../../src/cli/keys.js';
import { loadConfig } from '../../src/config/index.js';
import { onPostgres, ownDatabase } from '../database.js';
import { run, startService } from '../process.js';

const database = await ownDatabase();

/** Runs a command in this process, and returns what it prints. */
async function keys(t: Test, ...args: string[]): Promise<string> {
  const written = t.capture(process.stdout, 'write', () => true);
  await runKeysCommand(args, loadConfig(database));
  return written()
    .map(({ args: [text] }) => String(text))
    .join('');
}

t.test('a key made from the shell opens the service', async (t) => {
  const command = run(
    'src/cli.ts',
    ['keys', 'create', '--name', 'ops', '--scope', 'admin', '--scope', 'read'],
    database,
  );
  t.equal(await command.exited, 0);
  const [key = ''] = /^mez_\w{38}$/m.exec(command.stdout()) ?? [];
  const service = await startService(database);
  const me = await fetch(`${service.url}/v1/me`, { headers: { 'x-api-key': key } });
  t.match(await me.json(), { name: 'ops', scopes: ['admin', 'read'] });

  t.test('and while it has the embedded database open, a command says so', { skip: onPostgres }, async (t) => {
    await t.rejects(keys(t, 'list'), { message: /^another process is using the embedded database in / });
  });
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('keys are listed as a table and as JSON, and revoked by id', async (t) => {
  const created = JSON.parse(
    await keys(t, 'create', '--name', 'short', '--expires-at', '2030-01-31T00:00:00Z', '--json'),
  );
  t.match(created, { name: 'short', scopes: [], expiresAt: '2030-01-31T00:00:00.000Z', key: /^mez_/ });
  const table = await keys(t, 'list');
  t.match(table, new RegExp(`^ID +START +NAME +SCOPES +STATE +EXPIRES\n${created.id}  ${created.start}  short `));
  t.notMatch(table, created.key);
  t.equal(await keys(t, 'revoke', created.id), `${created.id} revoked\n`);
  t.match(JSON.parse(await keys(t, 'list', '--json')), [{ name: 'ops' }]);
  await t.rejects(keys(t, 'revoke', created.id), { message: `there is no key ${created.id}` });
});

t.test('a mistake is told with what to do', async (t) => {
  for (const [args, message] of [
    [['create'], /^keys create needs --name NAME, /],
    [['create', '--name', 'x', '--scope', 'No Caps'], /^--scope takes /],
    [['create', '--name', 'x', '--expires-at', 'never'], /^--expires-at takes /],
    [['create', '--nmae', 'x'], /^Unknown option '--nmae'/],
    [['revoke'], /^keys revoke needs the ID /],
    [['remove'], /^unknown command "keys remove": try "keys --help"$/],
  ] as const) {
    await t.rejects(keys(t, ...args), { name: 'KeysCommandError', message });
  }
});

t.test('help needs no database', async (t) => {
  t.match(await keys(t, '--help'), /^Usage: npm run keys -- COMMAND/);
});
