import t from 'tap';
import * as capacity from '../../bench/capacity/options.js';
import * as demo from '../../bench/demo/options.js';
import * as bench from '../../bench/options.js';
import { readCommand } from '../../src/cli/key-commands.js';
import { readLogsCommand } from '../../src/cli/log-commands.js';
import { onPostgres, ownDatabase, sameEverywhere } from '../database.js';
import { run, startService } from '../process.js';

/** Each command, and the file behind it. `keys` and `logs` are one. */
const commands: Record<string, [file: string, ...args: string[]]> = {
  '': ['dist/src/cli.js'],
  keys: ['dist/src/cli.js', 'keys'],
  logs: ['dist/src/cli.js', 'logs'],
  'prisma:migrate': ['prisma/migrate.ts'],
  'prisma:studio': ['prisma/studio.ts'],
  bench: ['bench/index.ts'],
  capacity: ['bench/capacity/index.ts'],
  demo: ['bench/demo/index.ts'],
  screenshots: ['bench/demo/screenshots.ts'],
  soak: ['test/soak/index.ts'],
  sbom: ['deploy/sbom.ts'],
};
t.setTimeout(240_000);
const database = await ownDatabase();

async function ask(command: string, args: string[], variables: NodeJS.ProcessEnv = database) {
  const [file, ...first] = commands[command] ?? ['none'];
  const { exited, stdout, stderr } = run(file, [...first, ...args], variables);
  return { code: await exited, stdout: stdout(), stderr: stderr() };
}

t.test('every command has help with an example, which needs no database', { skip: sameEverywhere }, async (t) => {
  const nowhere = { DATABASE_URL: 'postgresql://127.0.0.1:1/none' };
  const asked = [...Object.keys(commands).map((command) => [command, '--help']), ['keys', 'create', '--help']];
  const answers = asked.map(async ([command = '', ...args]) => ({ command, ...(await ask(command, args, nowhere)) }));
  for (const { command, code, stdout, stderr } of await Promise.all(answers)) {
    t.match(stdout, /^Usage: .*\n/, command);
    t.match(stdout, /^Examples?: .*(npm run|cli\.js)/m, command);
    t.strictSame([code, stderr], [0, ''], command);
  }
});

t.test('a mistake is one line that says what to do, and exit code 1', { skip: sameEverywhere }, async (t) => {
  const id = '00000000-0000-4000-8000-000000000000';
  for (const [command, args, message] of [
    ['', ['kyes'], /^musicez: unknown command "kyes": try "keys --help" or "logs --help"\n$/],
    ['soak', ['--second', '1'], /^soak: Unknown option '--second': try "npm run soak -- --help"\n$/],
    ['sbom', ['one', 'two'], /^sbom: "two" is one FILE too many: try "npm run sbom -- --help"\n$/],
    ['screenshots', ['--all'], /^screenshots: Unknown option '--all': try "npm run screenshots -- --help"\n$/],
    ['keys', ['revoke', id, 'other'], /^musicez: "other" is one too many: "keys --help" shows what revoke takes\n$/],
    ['keys', ['create', 'ci'], /^musicez: "ci" is one too many: "keys --help" shows what create takes\n$/],
    ['bench', ['--second', '1'], /^bench: Unknown option '--second': try "npm run bench -- --help"\n$/],
    ['prisma:migrate', ['--nmae', 'x'], /^musicez: Unknown option '--nmae': try "npm run prisma:migrate -- --help"\n$/],
    ['keys', ['show', id], /^musicez: there is no API key with this id: "keys list" shows those that there are\n$/],
  ] as const) {
    const { code, stdout, stderr } = await ask(command, [...args]);
    t.match(stderr, message);
    t.strictSame([code, stdout], [1, ''], message.source);
  }
});

t.test('whatever is wrong with an option is told with what it takes, or where to look', async (t) => {
  for (const [read, args, message] of [
    [readCommand, ['remove'], /^unknown command "keys remove": try "keys --help"$/],
    [readCommand, ['create', '--nmae', 'x'], /^Unknown option '--nmae': try "keys --help"$/],
    [readCommand, ['create', '--name'], /: try "keys --help"$/],
    [readLogsCommand, ['import'], /^unknown command "logs import": try "logs --help"$/],
    [readLogsCommand, ['export', '--format', 'xml'], /^--format takes ndjson or csv; not "xml"$/],
    [bench.readOptions, ['--seconds', 'x'], /takes a whole number from 1 to 600; not "x"$/],
    [capacity.readOptions, [], /^--requests-per-second is required, for instance --requests-per-second 5000$/],
    [capacity.readOptions, ['--replicas', '1'], /^Unknown option '--replicas': try "npm run capacity -- --help"$/],
    [demo.readOptions, ['--minutes', 'x'], /^--minutes takes a number up to 1440$/],
  ] as const) {
    t.throws(() => read([...args]), { message });
  }
});

t.test('a command waits for a database that does not answer, and says what to do', async (t) => {
  const { child, stderr, exited } = run('dist/src/cli.js', ['keys', 'list'], {
    DATABASE_URL: 'postgresql://127.0.0.1:1/none',
  });
  const message = /^waiting for the database: .*\. DATABASE_URL says where it is; Ctrl-C gives up$/m;
  while (!message.test(stderr())) await new Promise((resolve) => child.stderr.once('data', resolve));
  child.kill('SIGINT');
  t.equal(await exited, 'SIGINT');
});

t.test('a command says so where a running service has the embedded database', { skip: onPostgres }, async (t) => {
  await startService(database);
  const { code, stderr } = await ask('keys', ['list']);
  t.match(stderr, /^musicez: a running service has the embedded database in .* open: ask it, .*, or stop it first\n$/);
  t.equal(code, 1);
  for (const command of ['prisma:migrate', 'prisma:studio']) {
    const { code, stderr } = await ask(command, []);
    t.match(stderr, /^musicez: .*embedded database.*\n$/, command);
    t.equal(code, 1);
  }
});
