import type { FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { parseKeysCommand } from '../../src/cli/key-commands.js';
import { runKeysCommand } from '../../src/cli/keys.js';
import { loadConfig } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { createTestDatabase, onPostgres } from '../database.js';
import { run, startService } from '../process.js';

const database = await createTestDatabase();
let app: FastifyInstance | undefined;

/** Runs a command on the keys of a service in this process, and returns its output. */
async function keys(t: Test, ...args: string[]): Promise<string> {
  const work = parseKeysCommand(args);
  app ??= await startApp(database);
  const service = app;
  return captureOutput(t, async () => work?.(service.apiKeys, service.requestLog.reader));
}

async function captureOutput(t: Test, work: () => Promise<void>): Promise<string> {
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

t.test('the service accepts a key that was created in the shell', async (t) => {
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

  await t.test(
    'a command reports that a running service uses the embedded database',
    { skip: onPostgres },
    async (t) => {
      await t.rejects(runKeysCommand(['list'], loadConfig(database)), {
        message: /^a running service uses the embedded database in .*: use its API, as in "curl /,
      });
      const list = run('dist/src/cli.js', ['keys', 'list'], database);
      t.equal(await list.exited, 1);
      t.match(list.stderr(), `'${service.url}/v1/api-keys'`, 'with the port of the service');
      t.match(
        list.stderr(),
        /^musicez: a running service .* embedded database in .*: use its API, .*, or stop it first\n$/,
      );
      for (const [file, ...args] of [['scripts/prisma/migrate.ts'], ['dist/src/cli.js', 'studio']] as const) {
        const { exited, stderr } = run(file, args, database);
        t.equal(await exited, 1, file);
        t.match(stderr(), /^musicez: .*embedded database.*\n$/, file);
      }
    },
  );
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('a command without a running service uses its database, and reports what is not allowed', async (t) => {
  const config = loadConfig(database);
  const [{ id }] = JSON.parse(await captureOutput(t, () => runKeysCommand(['list', '--json'], config)));
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
  await t.rejects(keys(t, 'revoke', created.id), { message: 'no API key has this id' });
});

t.test('a key is rotated, disabled and enabled in the shell, and its events have the actor cli', async (t) => {
  const old = JSON.parse(await keys(t, 'create', '--name', 'turned', '--rate-limit', '60', '--json'));
  const rotated = await keys(t, 'rotate', old.id, '--grace', '60');
  const [, id = ''] =
    /^mez_\w{38}\n\nid (\S+); this is the only time the key is shown\. \S+ ends at 2/.exec(rotated) ?? [];
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

t.test('the last admin key can be revoked only with --force', async (t) => {
  const [{ id }] = JSON.parse(await keys(t, 'list', '--json')).filter(({ name }: { name: string }) => name === 'ops');
  await t.rejects(keys(t, 'revoke', id), { message: /last active admin key/ });
  await t.rejects(keys(t, 'disable', id), { message: /last active admin key/ });
  t.equal(await keys(t, 'revoke', id, '--force'), `${id} revoked\n`);
});

t.test('an invalid command is reported with the fix', async (t) => {
  for (const [args, message] of [
    [['create'], /^keys create requires --name NAME, /],
    [['create', '--name', 'x', '--scope', 'No Caps'], /^--scope must /],
    [['create', '--name', 'x', '--expires-at', 'soon'], /^--expires-at must /],
    [['create', '--nmae', 'x'], /^Unknown option '--nmae'/],
    [['create', '--name', 'x', '--rate-limit', '0'], /^--rate-limit must be a whole number from 1 /],
    [['rotate', 'x', '--grace', '1.5'], /^--grace must be a whole number from 0 /],
    [['show'], /^keys show requires an ID/],
    [['revoke'], /^keys revoke requires an ID/],
    [['remove'], /^unknown command "keys remove": try "keys --help"$/],
  ] as const) {
    await t.rejects(keys(t, ...args), { name: 'CommandError', message });
  }
});

t.test('help needs no database', async (t) => {
  const help = await captureOutput(t, () =>
    runKeysCommand(['--help'], loadConfig({ DATABASE_URL: 'postgresql://nowhere/musicez' })),
  );
  t.match(help, /^Usage: npm run keys -- COMMAND/);
});
