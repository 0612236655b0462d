import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { uuidv7 } from 'uuidv7';
import type { PrismaClient } from '../../plugins/prisma/generated/client.js';
import { PostgresReader } from '../../plugins/request-log/stores/postgres/index.js';
import { firstIdAt } from '../../plugins/time-ordered-id.js';
import { parseLogsCommand } from '../../src/cli/log-commands.js';
import { type ExportContext, exportLog } from '../../src/cli/log-export.js';
import { runLogsCommand } from '../../src/cli/logs.js';
import { loadConfig } from '../../src/config/index.js';
import { keyHeaders, startApp } from '../app.js';
import { createTestDatabase, needsPostgres, onPostgres, skipOnEmbedded } from '../database.js';
import { heapUsed } from '../heap.js';
import { run } from '../process.js';

const database = await createTestDatabase();
const directory = t.testdir();
const apiKeyId = uuidv7();
/** The time of the first row. Rows are one second apart. */
const start = Date.now() - 3_600_000;
const at = (second: number) => new Date(start + second * 1_000);
const rows = Array.from({ length: 2_500 }, (_, i) => ({
  id: firstIdAt(at(i)),
  method: i % 2 ? 'GET' : 'POST',
  path: `/row/${i}`,
  route: '/row/:n',
  statusCode: i % 5 ? 200 : 500,
  duration: i,
  ip: '127.0.0.1',
  userAgent: i === 7 ? '=1+1' : null,
  createdAt: at(i),
  apiKeyId: i === 9 ? apiKeyId : null,
}));
const app = await startApp(database);
await app.prisma.requestLog.createMany({ data: rows });
const headers = await keyHeaders(app, 'admin');

/** A fake output stream, as a terminal or not, that records what is written. */
function screen({ isTTY }: { isTTY: boolean }) {
  let written = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  return Object.assign(stream as NodeJS.WriteStream, { isTTY, columns: 100, text: () => written });
}

interface Given extends Partial<ExportContext> {
  prisma?: PrismaClient;
  terminal?: boolean;
}

/** Runs an export in this process, as the command does in its own. */
async function exportRows(args: string[], { prisma = app.prisma, terminal = false, ...given }: Given = {}) {
  const task = parseLogsCommand(['export', ...args]);
  const stdout = new PassThrough();
  const stderr = screen({ isTTY: terminal });
  const body = text(stdout).catch(() => '');
  if (task && 'query' in task)
    await exportLog(new PostgresReader(prisma, app.database), task, {
      stdout,
      stderr,
      signal: new AbortController().signal,
      ...given,
    });
  stdout.end();
  return { stdout: await body, stderr: stderr.text() };
}

/** Wraps the database client, and calls a function when the second page is read. */
function atSecondPage(onSecondPage: () => void): PrismaClient {
  let pages = 0;
  return app.prisma.$extends({
    query: {
      requestLog: {
        async findMany({ args, query }) {
          if (pages++ === 1) onSecondPage();
          return query(args);
        },
      },
    },
  }) as unknown as PrismaClient;
}

const linesOf = (ndjson: string) => ndjson.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []));

t.test('the command writes the same export as the service for the same filters', async (t) => {
  const from = at(100).toISOString();
  const to = at(1_600).toISOString();
  for (const [args, query, count] of [
    [['--format', 'ndjson', '--from', from, '--to', to], `format=ndjson&from=${from}&to=${to}`, 1_500],
    [['--format', 'csv', '--path', '/row/7'], 'format=csv&path=/row/7', 1],
    [['--format', 'csv', '--status-code', '500', '--to', to], `format=csv&statusCode=500&to=${to}`, 320],
    [['--format', 'ndjson', '--min-duration', '2490'], 'format=ndjson&minDuration=2490', 10],
    [['--format', 'ndjson', '--method', 'POST'], 'format=ndjson&method=POST', 1_250],
    [['--format', 'ndjson', '--api-key-id', apiKeyId], `format=ndjson&apiKeyId=${apiKeyId}`, 1],
    [['--format', 'csv', '--route', '/row/:n'], 'format=csv&route=/row/:n', 2_500],
    [['--format', 'csv', '--path', '/nowhere'], 'format=csv&path=/nowhere', 0],
  ] as const) {
    const { body } = await app.inject({ url: `/v1/request-logs/export?${query}`, headers });
    const { stdout, stderr } = await exportRows([...args]);
    t.equal(stdout, body, query);
    t.equal(stderr, count === 1 ? '1 row written\n' : `${count} rows written\n`);
  }
});

t.test('a terminal shows the progress by time, and other outputs only the number of rows', async (t) => {
  const output = join(directory, 'bar.csv');
  const args = ['--format', 'csv', '--to', at(2_400).toISOString(), '--path', '/row/1200', '--output', output];
  const bar = (await exportRows(args, { terminal: true })).stderr;
  t.match(bar, / 0 % \| 0 rows \| /);
  t.match(bar, / 50 % \| 1 rows \| /);
  t.ok(bar.endsWith(`1 row written to ${output}\n`));
  t.equal((await exportRows([...args, '--force'])).stderr, `1 row written to ${output}\n`);

  const nothing = ['--format', 'csv', '--to', '2000-01-01T00:00:00Z', '--output', output, '--force'];
  t.equal((await exportRows(nothing, { terminal: true })).stderr, `0 rows written to ${output}\n`);

  t.comment('there is no progress bar if the rows go to the terminal');
  const stdout = screen({ isTTY: true });
  const { stderr } = await exportRows(['--format', 'csv', '--path', '/row/1'], { terminal: true, stdout });
  t.equal(stderr, '1 row written\n');
  t.match(stdout.text(), '/row/1,');
});

t.test('an existing file is kept unless --force is given', async (t) => {
  const output = join(directory, 'kept.ndjson');
  writeFileSync(output, 'precious');
  const args = ['--format', 'ndjson', '--path', '/row/1', '--output', output];
  await t.rejects(exportRows(args), { name: 'CommandError', message: /exists already: .* --force$/ });
  t.equal(readFileSync(output, 'utf8'), 'precious');
  await exportRows([...args, '--force']);
  t.match(linesOf(readFileSync(output, 'utf8')), [{ path: '/row/1' }]);
  await t.rejects(exportRows(['--format', 'csv', '--output', join(directory, 'no', 'such')]), {
    name: 'CommandError',
    message: /^cannot write .*no\/such: ENOENT/,
  });
});

t.test('an export that fails or is interrupted leaves no partial file and reports the number of rows', async (t) => {
  const output = join(directory, 'half.csv');
  const args = ['--format', 'csv', '--output', output];

  for (const [error, message] of [
    [Object.assign(new Error('gone'), { code: 'P1001' }), /^the database failed after 1000 rows: try again/],
    [Object.assign(new Error('of another pipe'), { code: 'EPIPE' }), 'the request log cannot be read'],
  ] as const) {
    const prisma = atSecondPage(() => {
      throw error;
    });
    await t.rejects(exportRows(args, { prisma }), { message });
    t.notOk(existsSync(output));
  }

  const interruption = new AbortController();
  const prisma = atSecondPage(() => interruption.abort());
  await t.rejects(exportRows(args, { prisma, signal: interruption.signal }), {
    name: 'CommandError',
    message: 'interrupted after 1000 rows',
  });
  t.notOk(existsSync(output));

  t.test('a device file is not removed', { skip: !existsSync('/dev/full') }, async (t) => {
    await t.rejects(exportRows(['--format', 'csv', '--force', '--output', '/dev/full']), {
      name: 'CommandError',
      message: /^cannot write \/dev\/full: ENOSPC/,
    });
    t.ok(statSync('/dev/full').isCharacterDevice());
  });
});

t.test('an invalid command is reported with the fix', async (t) => {
  const format = ['--format', 'csv'];
  for (const [args, message] of [
    [['import'], 'unknown command "logs import": try "logs --help"'],
    [['export'], 'logs export requires --format ndjson or --format csv'],
    [['export', '--format', 'xml'], '--format must be ndjson or csv; not "xml"'],
    [['export', ...format, '--form', 'yesterday'], /^Unknown option '--form': try "logs --help"$/],
    [['export', ...format, '--from', 'yesterday'], /^--from must be a day or a time, such as .*Z; not "yesterday"$/],
    [['export', ...format, '--to', '2026-11-31'], /^--to must be a day or a time, such as /],
    [['export', ...format, '--method', 'get'], /^--method must be a method in capitals/],
    [['export', ...format, '--status-code', '6xx'], /^--status-code must be a number from 100 to 599, a class /],
    [['export', ...format, '--has-key', 'no'], /^--has-key must be true or false; /],
    [['export', ...format, '--path-part', 'ab'], /^--path-part must be a part of a path/],
    [['export', ...format, '--min-duration', '1.5'], /^--min-duration must be a whole number /],
    [['export', ...format, '--api-key-id', 'ci'], /^--api-key-id must be the id /],
    [['export', ...format, 'logs.csv'], '"logs.csv" is not an option: use --output FILE for a file'],
  ] as [string[], string | RegExp][]) {
    t.throws(() => parseLogsCommand(args), { name: 'CommandError', message }, args.join(' '));
  }
});

t.test('help needs no database', async (t) => {
  const written = t.capture(process.stdout, 'write', () => true);
  await runLogsCommand(['--help'], loadConfig({ DATABASE_URL: 'postgresql://nowhere/musicez' }));
  written.restore();
  const help = String(written()[0]?.args[0]);
  t.match(help, /^Usage: npm run logs -- COMMAND/);
  t.match(help, /^Examples: npm run logs -- export /m);
});

t.test(
  'while a service uses the embedded database, the command prints the equivalent API request',
  { skip: onPostgres },
  async (t) => {
    await t.rejects(runLogsCommand(['export', '--format', 'csv', '--status-code', '500'], loadConfig(database)), {
      name: 'CommandError',
      message:
        /^a running service .*: use its API, as in "curl .* 'http:\S+\/v1\/request-logs\/export\?format=csv&statusCode=500'"/,
    });
  },
);

t.test('the export waits for a slow output instead of buffering rows', { skip: skipOnEmbedded }, async (t) => {
  await addBulk(30_000);
  const before = await heapUsed();
  let peak = 0;
  let bytes = 0;
  const stdout = new Writable({
    async write(chunk, _encoding, done) {
      bytes += chunk.length;
      if (Math.floor(bytes / 5e6) !== Math.floor((bytes - chunk.length) / 5e6)) peak = Math.max(peak, await heapUsed());
      done();
    },
  });
  await exportRows(['--format', 'ndjson', '--path', '/bulk'], { stdout });
  t.ok(bytes > 30_000 * 1_000);
  t.ok(peak > 0 && peak - before < 15e6, `${Math.round((peak - before) / 1e6)} MB more for a file of ${bytes}`);
});

/** Adds old rows of one kilobyte each. */
async function addBulk(count: number) {
  await app.prisma.$executeRawUnsafe(
    `INSERT INTO request_logs (id, method, path, "statusCode", duration, ip, "userAgent")
     SELECT '00000000-0000-7000-8000-' || lpad(i::text, 12, '0'), 'GET', '/bulk', 200, 1, '', repeat('x', 1000)
     FROM generate_series(1, ${count}) AS i`,
  );
}

t.test('as a separate process, without the service', { skip: skipOnEmbedded }, async (t) => {
  await app.close();
  const command = (...args: string[]) => run('dist/src/cli.js', ['logs', 'export', ...args], database);

  t.test('the command writes every row to standard output and the number of rows to standard error', async (t) => {
    const process = command('--format', 'ndjson', '--min-duration', '2');
    t.equal(await process.exited, 0, process.stderr());
    const lines = linesOf(process.stdout());
    t.strictSame(
      lines.filter(({ path }) => path.startsWith('/row/')).map(({ id }) => id),
      rows.slice(2).map(({ id }) => id),
    );
    t.equal(process.stderr(), `${lines.length} rows written\n`);
  });

  t.test('the command only reads, so it works on a standby', { skip: needsPostgres }, async (t) => {
    const url = new URL(database.DATABASE_URL ?? '');
    url.searchParams.set('options', '-c default_transaction_read_only=on');
    const process = run('dist/src/cli.js', ['logs', 'export', '--format', 'csv', '--path', '/row/1'], {
      ...database,
      DATABASE_URL: url.href,
    });
    t.equal(await process.exited, 0, process.stderr());
  });

  t.test('a database without a request log is reported in one line', async (t) => {
    const other = await createTestDatabase({ migrated: false });
    const process = run('dist/src/cli.js', ['logs', 'export', '--format', 'csv'], other);
    t.equal(await process.exited, 1);
    t.match(
      process.stderr(),
      /^musicez: the database lacks the migration \S+ and \d+ more: start the service on it, or run npm run prisma:migrate\n$/,
    );
  });

  t.test('the command exits without an error when its reader closes the pipe', async (t) => {
    const script = `"$0" dist/src/cli.js logs export --format ndjson 2>"$1" | head -n 1; echo "$\{PIPESTATUS[0]}"`;
    const stderr = join(directory, 'stderr');
    const shell = spawn('bash', ['-c', script, process.execPath, stderr], { env: { ...process.env, ...database } });
    const [line = '', code] = (await text(shell.stdout)).split('\n');
    t.match(JSON.parse(line), { path: '/bulk' });
    t.equal(code, '0');
    t.equal(readFileSync(stderr, 'utf8'), '');
  });

  t.test('an interrupted command removes its partial file and releases the database', async (t) => {
    const output = join(directory, 'interrupted.csv');
    const process = command('--format', 'csv', '--output', output);
    while (!existsSync(output) || statSync(output).size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    process.child.kill('SIGINT');
    t.equal(await process.exited, 1);
    t.match(process.stderr(), /^musicez: interrupted after \d+ rows\n$/);
    t.notOk(existsSync(output));

    const again = command('--format', 'csv', '--path', '/row/1', '--output', output);
    t.equal(await again.exited, 0, again.stderr());
    t.match(readFileSync(output, 'utf8'), /^id,createdAt,[^\n]*\n[^\n]*,\/row\/1,[^\n]*\n$/);
  });
});

t.test('an unknown command is reported with the known ones', async (t) => {
  const process = run('dist/src/cli.js', ['log'], database);
  t.equal(await process.exited, 1);
  const names = ['start', 'keys', 'logs', 'migrate', 'studio', 'doctor', 'init'].map((name) => `"${name} --help"`);
  t.equal(process.stderr(), `musicez: unknown command "log": try ${names.join(', ')}\n`);
});
