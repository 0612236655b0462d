import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { readCommand } from '../../src/cli/key-commands.js';
import { runKeysCommand } from '../../src/cli/keys.js';
import { loadConfig } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { onPostgres, ownDatabase } from '../database.js';
import { run, startService } from '../process.js';

const database = await ownDatabase();
let app: FastifyInstance | undefined;

/** Runs a command on the keys of a service in this process, and returns what it prints. */
async function keys(t: Test, ...args: string[]): Promise<string> {
  const work = readCommand(args);
  app ??= await startApp(database);
  const { apiKeys } = app;
  return printed(t, async () => work?.(apiKeys));
}

async function printed(t: Test, work: () => Promise<void>): Promise<string> {
  const written = t.capture(process.stdout, 'write', () => true);
  try {
    await work();
  } finally {
    written.restore();
  }
  return written()
    .map(({ args: [text] }) => String(text))
    .join('');
}

t.test('a key made from the shell opens the service', async (t) => {
  const command = run(
    'dist/src/cli.js',
    ['keys', 'create', '--name', 'ops', '--scope', 'admin', '--scope', 'read'],
    database,
  );
  t.equal(await command.exited, 0);
  const [key = ''] = /^mez_\w{38}$/m.exec(command.stdout()) ?? [];
  const service = await startService(database);
  const me = await fetch(`${service.url}/v1/me`, { headers: { 'x-api-key': key } });
  t.match(await me.json(), { name: 'ops', scopes: ['admin', 'read'] });

  t.test('and while it has the embedded database open, a command says so', { skip: onPostgres }, async (t) => {
    await t.rejects(runKeysCommand(['list'], loadConfig(database)), {
      message: /^a running service has the embedded database in .* open: ask it, as in "curl /,
    });
  });
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('a command without the service works on its database, and says what cannot be done', async (t) => {
  const config = loadConfig(database);
  const [{ id }] = JSON.parse(await printed(t, () => runKeysCommand(['list', '--json'], config)));
  await t.rejects(runKeysCommand(['revoke', id], config), {
    name: 'CommandError',
    message: /last active admin key/,
  });
});

t.test('keys are listed as a table and as JSON, and revoked by id', async (t) => {
  const created = JSON.parse(
    await keys(t, 'create', '--name', 'short', '--expires-at', '2030-01-31T00:00:00Z', '--json'),
  );
  t.match(created, { name: 'short', scopes: [], expiresAt: '2030-01-31T00:00:00.000Z', key: /^mez_/ });
  const table = await keys(t, 'list');
  t.match(
    table,
    new RegExp(`^ID +START +NAME +SCOPES +STATE +EXPIRES +LAST USED\n${created.id}  ${created.start}  short `),
  );
  t.notMatch(table, created.key);
  t.equal(await keys(t, 'revoke', created.id), `${created.id} revoked\n`);
  t.match(JSON.parse(await keys(t, 'list', '--json')), [{ name: 'ops' }]);
  await t.rejects(keys(t, 'revoke', created.id), { message: 'there is no API key with this id' });
});

t.test('a key is rotated, disabled and enabled from the shell, and its events name the shell', async (t) => {
  const old = JSON.parse(await keys(t, 'create', '--name', 'turned', '--rate-limit', '60', '--json'));
  const rotated = await keys(t, 'rotate', old.id, '--grace', '60');
  const [, id = ''] = /^mez_\w{38}\n\nid (\S+); the key is shown this once\. \S+ ends at 2/.exec(rotated) ?? [];
  t.match(JSON.parse(await keys(t, 'show', id, '--json')), {
    name: 'turned',
    rateLimitPerMinute: 60,
    replaces: old.id,
    events: [{ action: 'created', actor: 'cli', actorKeyId: null, ip: null }],
  });
  t.match(await keys(t, 'show', old.id), new RegExp(`replacedBy +${id}\n[^]*rotated +cli +expiresAt,replacedBy\n`));
  t.equal(await keys(t, 'disable', id), `${id} disabled\n`);
  t.match(await keys(t, 'list'), new RegExp(`${id} .* disabled `));
  t.equal(await keys(t, 'enable', id), `${id} enabled\n`);
  t.match(await keys(t, 'list'), new RegExp(`${id} .* active `));
});

t.test('the last admin key goes only by force', async (t) => {
  const [{ id }] = JSON.parse(await keys(t, 'list', '--json')).filter(({ name }: { name: string }) => name === 'ops');
  await t.rejects(keys(t, 'revoke', id), { message: /last active admin key/ });
  await t.rejects(keys(t, 'disable', id), { message: /last active admin key/ });
  t.equal(await keys(t, 'revoke', id, '--force'), `${id} revoked\n`);
});

t.test('a mistake is told with what to do', async (t) => {
  for (const [args, message] of [
    [['create'], /^keys create needs --name NAME, /],
    [['create', '--name', 'x', '--scope', 'No Caps'], /^--scope takes /],
    [['create', '--name', 'x', '--expires-at', 'never'], /^--expires-at takes /],
    [['create', '--nmae', 'x'], /^Unknown option '--nmae'/],
    [['create', '--name', 'x', '--rate-limit', '0'], /^--rate-limit takes a whole number from 1 /],
    [['rotate', 'x', '--grace', '1.5'], /^--grace takes a whole number from 0 /],
    [['show'], /^keys show needs the ID /],
    [['revoke'], /^keys revoke needs the ID /],
    [['remove'], /^unknown command "keys remove": try "keys --help"$/],
  ] as const) {
    await t.rejects(keys(t, ...args), { name: 'CommandError', message });
  }
});

t.test('help needs no database', async (t) => {
  const help = await printed(t, () => runKeysCommand(['--help'], loadConfig({ DATABASE_URL: 'postgresql://nowhere' })));
  t.match(help, /^Usage: npm run keys -- COMMAND/);
});
