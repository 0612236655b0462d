import t from 'tap';
import * as bench from '../../bench/options.js';
import * as demo from '../../demo/options.js';
import * as capacity from '../../scripts/capacity/options.js';
import { parseKeysCommand } from '../../src/cli/key-commands.js';
import { parseLogsCommand } from '../../src/cli/log-commands.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { run } from '../process.js';

skipFileOnEmbedded();

/** The file and first arguments of each command. */
const commands: Record<string, [file: string, ...args: string[]]> = {
  '': ['dist/src/cli.js'],
  keys: ['dist/src/cli.js', 'keys'],
  logs: ['dist/src/cli.js', 'logs'],
  'prisma:migrate': ['scripts/prisma/migrate.ts'],
  'prisma:studio': ['dist/src/cli.js', 'studio'],
  start: ['dist/src/cli.js', 'start'],
  doctor: ['dist/src/cli.js', 'doctor'],
  init: ['dist/src/cli.js', 'init'],
  bench: ['bench/index.ts'],
  capacity: ['scripts/capacity/index.ts'],
  demo: ['demo/index.ts'],
  screenshots: ['demo/screenshots.ts'],
  soak: ['test/soak/index.ts'],
  sbom: ['scripts/sbom.ts'],
};
t.setTimeout(240_000);
const database = await createTestDatabase();

async function runCommand(command: string, args: string[], variables: NodeJS.ProcessEnv = database) {
  const [file, ...first] = commands[command] ?? ['none'];
  const { exited, stdout, stderr } = run(file, [...first, ...args], variables);
  return { code: await exited, stdout: stdout(), stderr: stderr() };
}

t.test('every command prints help with an example, without a database', async (t) => {
  const nowhere = { DATABASE_URL: 'postgresql://127.0.0.1:1/none' };
  const commandLines = [...Object.keys(commands).map((command) => [command, '--help']), ['keys', 'create', '--help']];
  const results = commandLines.map(async ([command = '', ...args]) => ({
    command,
    ...(await runCommand(command, args, nowhere)),
  }));
  for (const { command, code, stdout, stderr } of await Promise.all(results)) {
    t.match(stdout, /^Usage: .*\n/, command);
    t.match(stdout, /^Examples?: .*(npm (run|start)|cli\.js)/m, command);
    t.strictSame([code, stderr], [0, ''], command);
  }
});

t.test('an error prints one line with the fix and exits with code 1', async (t) => {
  const id = '00000000-0000-4000-8000-000000000000';
  for (const [command, args, message] of [
    ['', ['kyes'], /^musicez: unknown command "kyes": try "start --help", "keys --help", .*\n$/],
    ['soak', ['--second', '1'], /^soak: Unknown option '--second': try "npm run soak -- --help"\n$/],
    ['sbom', ['one', 'two'], /^sbom: unexpected argument "two": try "npm run sbom -- --help"\n$/],
    ['screenshots', ['--all'], /^screenshots: Unknown option '--all': try "npm run screenshots -- --help"\n$/],
    [
      'keys',
      ['revoke', id, 'other'],
      /^musicez: unexpected argument "other": "keys --help" shows the arguments of revoke\n$/,
    ],
    ['keys', ['create', 'ci'], /^musicez: unexpected argument "ci": "keys --help" shows the arguments of create\n$/],
    ['bench', ['--second', '1'], /^bench: Unknown option '--second': try "npm run bench -- --help"\n$/],
    ['prisma:migrate', ['--nmae', 'x'], /^musicez: Unknown option '--nmae': try "npm run prisma:migrate -- --help"\n$/],
    ['keys', ['show', id], /^musicez: no API key has this id: "keys list" shows all keys\n$/],
  ] as const) {
    const { code, stdout, stderr } = await runCommand(command, [...args]);
    t.match(stderr, message);
    t.strictSame([code, stdout], [1, ''], message.source);
  }
});

t.test('an invalid option is reported with its valid values or the help command', async (t) => {
  for (const [read, args, message] of [
    [parseKeysCommand, ['remove'], /^unknown command "keys remove": try "keys --help"$/],
    [parseKeysCommand, ['create', '--nmae', 'x'], /^Unknown option '--nmae': try "keys --help"$/],
    [parseKeysCommand, ['create', '--name'], /: try "keys --help"$/],
    [parseLogsCommand, ['import'], /^unknown command "logs import": try "logs --help"$/],
    [parseLogsCommand, ['export', '--format', 'xml'], /^--format must be ndjson or csv; not "xml"$/],
    [bench.parseOptions, ['--seconds', 'x'], /must be a whole number from 1 to 600; not "x"$/],
    [capacity.parseOptions, [], /^--requests-per-second is required, for instance --requests-per-second 5000$/],
    [capacity.parseOptions, ['--replicas', '1'], /^Unknown option '--replicas': try "npm run capacity -- --help"$/],
    [demo.parseOptions, ['--minutes', 'x'], /^--minutes must be a number above 0, up to 1440$/],
  ] as const) {
    t.throws(() => read([...args]), { message });
  }
});

t.test('a command fails if the database does not respond, and reports the fix', async (t) => {
  const { stderr, exited } = run('dist/src/cli.js', ['keys', 'list'], {
    DATABASE_URL: 'postgresql://127.0.0.1:1/none',
  });
  t.equal(await exited, 1);
  t.match(stderr(), /^waiting for the database: connect ECONNREFUSED/m);
  t.match(stderr(), /^musicez: DATABASE_URL: the database does not answer: .*; start it, or correct the URL$/m);
});
