import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runKeysCommand } from '../../src/cli/keys.js';
import { loadConfig } from '../../src/config/index.js';
import { clientOf, startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { temporaryDirectory } from '../temporary-directory.js';

skipFileOnEmbedded();

const database = await createTestDatabase();
const directory = temporaryDirectory();

/** Runs a command, and returns its output. */
async function keys(t: Test, args: string[], variables: NodeJS.ProcessEnv = database) {
  const stdout = t.capture(process.stdout, 'write', () => true);
  const stderr = t.capture(process.stderr, 'write', () => true);
  const error = await runKeysCommand(args, loadConfig(variables)).then(
    () => undefined,
    (error: Error) => error.message,
  );
  const textOf = (results: typeof stdout) =>
    results()
      .map(({ args: [text] }) => text)
      .join('');
  const output = { stdout: textOf(stdout), stderr: textOf(stderr), error };
  stdout.restore();
  stderr.restore();
  return output;
}

t.test('keys are created, changed and listed by owner, metadata, prefix and addresses', async (t) => {
  const created = await keys(t, [
    ...['create', '--json', '--name', 'Acme', '--owner', 'acme', '--metadata', '{"plan":"pro"}', '--prefix', 'live'],
    ...['--allowed-ip', '10.1.2.3/8', '--allowed-ip', '::1', '--scope', 'orders:*'],
  ]);
  const key = JSON.parse(created.stdout);
  t.match(key, {
    ...{ key: /^live_/, ownerId: 'acme', metadata: { plan: 'pro' }, allowedIps: ['10.0.0.0/8', '::1'] },
    scopes: ['orders:*'],
  });
  const names = async (...args: string[]) =>
    JSON.parse((await keys(t, ['list', '--json', ...args])).stdout).map(({ name }: { name: string }) => name);
  await keys(t, ['create', '--name', 'other']);
  t.strictSame(await names('--owner', 'acme'), ['Acme']);
  t.strictSame(await names('--q', 'oth'), ['other']);
  t.strictSame(await names('--active', 'false'), []);
  const changes = ['--owner', 'none', '--metadata', 'none', '--allowed-ip', 'all'];
  t.match(JSON.parse((await keys(t, ['update', key.id, '--json', ...changes])).stdout), {
    ...{ ownerId: null, metadata: null, allowedIps: [] },
  });
  t.match((await keys(t, ['events', '--owner', 'acme'])).stdout, /created +\S+ +cli +\S*metadata/);
});

t.test('usage is printed by day', async (t) => {
  const { id, key } = JSON.parse((await keys(t, ['create', '--json', '--name', 'used', '--owner', 'used'])).stdout);
  const app = await startApp(database);
  for (let i = 0; i < 3; i++) await clientOf(app, { 'x-api-key': key })('GET', '/v1/me');
  await clientOf(app, { 'x-api-key': key })('GET', '/v1/api-keys');
  await app.close();
  const today = new Date().toISOString().slice(0, 10);
  for (const args of [[id], ['--owner', 'used']])
    t.match((await keys(t, ['usage', ...args])).stdout, new RegExp(`DAY +CHECKS.*\\n${today} +4 .*\\ntotal +4 `));
  t.match((await keys(t, ['usage', '--busiest'])).stdout, /^OWNER +CHECKS .*VALID.*\n(.*\n)*used +4 /);
});

t.test('an export imported into another service gives the same keys, without a secret in the file', async (t) => {
  const { key } = JSON.parse((await keys(t, ['create', '--json', '--name', 'moved', '--scope', 'admin'])).stdout);
  const foreign = `sk_${randomBytes(20).toString('hex')}`;
  const input = join(directory, 'input.ndjson');
  writeFileSync(input, `${JSON.stringify({ key: foreign, name: 'foreign', ownerId: 'acme' })}\n`);
  t.match(await keys(t, ['import', input]), {
    stdout: '1 created, 0 unchanged, 0 marked as deleted, 0 failed\n',
    error: undefined,
  });
  const deleted = JSON.parse((await keys(t, ['create', '--json', '--name', 'deleted'])).stdout);
  await keys(t, ['revoke', deleted.id]);
  const file = join(directory, 'export.ndjson');
  t.match(await keys(t, ['export', '--output', file]), { stdout: '', stderr: / keys written to /, error: undefined });
  const text = readFileSync(file, 'utf8');
  t.notMatch(text, key.slice(12));
  t.notMatch(text, foreign.slice(12));

  const second = await createTestDatabase();
  const lines = text
    .trim()
    .split('\n')
    .filter((line) => !line.includes('"deleted":true')).length;
  t.match(await keys(t, ['import', file], second), {
    stdout: `${lines} created, 0 unchanged, 1 marked as deleted, 0 failed\n`,
  });
  t.match(await keys(t, ['import', file], second), {
    stdout: `0 created, ${lines} unchanged, 1 marked as deleted, 0 failed\n`,
  });
  const app = await startApp(second);
  for (const [secret, name] of [
    [key, 'moved'],
    [foreign, 'foreign'],
  ]) {
    const me = await clientOf(app, { 'x-api-key': secret })('GET', '/v1/me');
    t.match(me, { status: 200, body: { name } });
  }
  t.equal((await clientOf(app, { 'x-api-key': deleted.key })('GET', '/v1/me')).status, 401);
  t.equal(await app.apiKeys.adopt(deleted.key, { name: 'bootstrap', scopes: ['admin'] }), 'revoked');
  await app.close();
  const again = await keys(t, ['export'], second);
  const entries = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      // Only these keys were used since.
      .map(({ lastUsed: _, ...entry }) => entry);
  t.strictSame(entries(again.stdout), entries(text));
});

t.test('invalid lines of an import are reported with their numbers, and the others are imported', async (t) => {
  const file = join(directory, 'mixed.ndjson');
  const secret = `sk_${randomBytes(20).toString('hex')}`;
  const lines = [
    JSON.stringify({ key: secret, name: 'good' }),
    '{"name": "no key"}',
    '',
    `{"key": "${secret}x", "nmae": "misspelt"}`,
    'not JSON',
    JSON.stringify({ key: `${secret}y`, name: 'good as well', expiresAt: 'tomorrow' }),
  ];
  writeFileSync(file, lines.join('\n'));
  const { stdout, stderr, error } = await keys(t, ['import', file]);
  t.equal(stdout, '1 created, 0 unchanged, 0 marked as deleted, 4 failed\n');
  t.match(stderr, /^line 2: \/sha256 .*\nline 4: .*\nline 5: .*\nline 6: \/expiresAt .*\n$/);
  t.equal(error, `4 lines of ${file} were not imported`);
  t.notMatch(stdout + stderr, secret, 'no message has a key');
  t.match(await keys(t, ['import', join(directory, 'none')]), { error: /^cannot read .*none/ });
});

t.test('an invalid option is reported with its valid values', async (t) => {
  for (const [args, message] of [
    [['list', '--q', 'ab'], /^--q must have at least 3 characters/],
    [['list', '--active', 'maybe'], /^--active must be true or false/],
    [['list', '--expires-before', 'soon'], /^--expires-before must be a time/],
    [['create', '--name', 'n', '--owner', 'a\nb'], /^--owner must be 1 to 200 printable characters/],
    [['create', '--name', 'n', '--metadata', '[1]'], /^--metadata must be a JSON object/],
    [['create', '--name', 'n', '--prefix', 'A'], /^--prefix must be/],
    [['create', '--name', 'n', '--allowed-ip', 'host'], /^--allowed-ip must be an address/],
    [['create', '--name', 'n', '--scope', '*'], /^--scope must/],
    [['usage'], /^keys usage requires an ID, --owner or --busiest/],
    [['usage', '--busiest', '--owner', 'acme'], /^--busiest is for all owners/],
    [['events', '--action', 'none'], /^--action must be one of created,/],
    [['import'], /^keys import requires a FILE/],
  ] as const)
    t.match((await keys(t, [...args])).error, message, args.join(' '));
});
