import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import pino from 'pino';
import t, { type Test } from 'tap';
import { encode, fileHead, scan } from '../../../plugins/request-log/spool/format.js';
import { Spool } from '../../../plugins/request-log/spool/index.js';
import type { Segment } from '../../../plugins/request-log/spool/segment.js';
import { record } from './records.js';
import { mounted, mountMissing, turnReadOnly } from './small-disk.js';

const maxBytes = 2 ** 30;

/** A spool in a directory of the test's own, and what it logs. */
function spoolIn(directory: string, options: { maxBytes?: number } = {}) {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
  return { spool: new Spool({ directory, maxBytes, ...options }, log), lines };
}

function files(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map((name) => join(directory, String(name)))
    .filter((name) => name.endsWith('.spool'))
    .sort();
}

async function drain(spool: Spool) {
  const all = [];
  let lost = 0;
  while (!spool.isEmpty) {
    const oldest = await spool.oldest();
    all.push(...oldest.records);
    lost += oldest.lost;
    if (oldest.segment) await spool.remove(oldest.segment);
  }
  return { all, lost };
}

/** How many records a spool takes over. */
async function adopted(spool: Spool): Promise<number> {
  let sum = 0;
  await spool.adopt((records) => {
    sum += records;
  });
  return sum;
}

/** Watches every file: those that are closed with something in them that a power cut would take. */
async function watchSyncs(t: Test) {
  const handle = await open(import.meta.filename);
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const unsynced = new Set<unknown>();
  const lost: unknown[] = [];
  const watch = (method: string, note: (file: unknown) => void) => {
    const original = prototype[method];
    t.teardown(() => Object.assign(prototype, { [method]: original }));
    prototype[method] = function (...args: unknown[]) {
      note(this);
      return Reflect.apply(original, this, args);
    };
  };
  watch('appendFile', (file) => unsynced.add(file));
  watch('datasync', (file) => unsynced.delete(file));
  watch('close', (file) => unsynced.has(file) && lost.push(file));
  return { unsynced, lost };
}

/** Leaves records behind as a process does that is killed: without closing anything. */
async function leaveBehind(directory: string, records: ReturnType<typeof record>[]) {
  mkdirSync(join(directory, 'earlier'), { recursive: true });
  writeFileSync(join(directory, 'earlier', '00000001.spool'), Buffer.concat([fileHead, encode(records)]));
}

t.test(
  'records come back as they were, oldest first, from as many files as it takes, which are then gone',
  async (t) => {
    const directory = t.testdir();
    const { spool } = spoolIn(directory);
    const records = Array.from({ length: 12_000 }, (_, i) =>
      record({ path: `/${i}/é"\n`, userAgent: 'x'.repeat(100) }),
    );
    for (let at = 0; at < records.length; at += 500) await spool.append(records.slice(at, at + 500));
    await spool.sync();
    t.ok(files(directory).length > 2);
    t.strictSame(await drain(spool), { all: records, lost: 0 });
    t.strictSame([files(directory), spool.bytes], [[], 0]);
    await spool.append([record()]);
    t.equal((await drain(spool)).all.length, 1);
  },
);

t.test('the next process takes over what one left behind, and nothing from one that lives', async (t) => {
  const directory = t.testdir();
  const living = spoolIn(directory).spool;
  await living.append([record()]);
  const closed = spoolIn(directory).spool;
  const left = [record(), record()];
  await closed.append(left);
  await closed.close();
  const next = spoolIn(directory).spool;
  t.equal(await adopted(next), 2);
  t.strictSame((await drain(next)).all, left);
  t.equal((await drain(living)).all.length, 1);
});

t.test('a torn end is cut off, wherever it was torn, and what was whole before it stays', async (t) => {
  const records = [record(), record({ path: '/é' })];
  const whole = Buffer.concat([fileHead, encode(records)]);
  const first = fileHead.length + encode(records.slice(0, 1)).length;
  for (let length = 0; length < whole.length; length++) {
    const { state, bodies: good } = scan(whole.subarray(0, length));
    if (![fileHead.length, first].includes(length) && state !== 'torn') t.fail(`${state} at ${length}`);
    if (good.length !== (length >= first ? 1 : 0)) t.fail(`${good.length} records at ${length}`);
  }
  t.match(scan(Buffer.concat([whole, Buffer.alloc(4_096)])), { state: 'torn', wholeBytes: whole.length });

  const directory = t.testdir();
  await leaveBehind(directory, records);
  truncateSync(files(directory)[0] ?? '', whole.length - 3);
  const { spool, lines } = spoolIn(directory);
  t.equal(await adopted(spool), 1);
  t.equal(readFileSync(files(directory)[0] ?? '').length, first);
  t.strictSame(lines, []);
});

t.test('a damaged file is set aside and named, and what was good of it stays', async (t) => {
  const directory = t.testdir();
  const records = [record(), record(), record()];
  const first = fileHead.length + encode(records.slice(0, 1)).length;
  await leaveBehind(directory, records);
  const [path = ''] = files(directory);
  const bytes = readFileSync(path);
  bytes[first + 20] = (bytes[first + 20] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const { spool, lines } = spoolIn(directory);
  t.equal(await adopted(spool), 1);
  const { file } = JSON.parse(lines[0] ?? '');
  t.strictSame(readFileSync(file), bytes, 'whole, for people to look at');
  t.strictSame((await drain(spool)).all, records.slice(0, 1));
});

t.test('what is no spool file at all is set aside too', async (t) => {
  const directory = t.testdir({ earlier: { '00000001.spool': 'something else that somebody put here' } });
  const { spool, lines } = spoolIn(directory);
  t.equal(await adopted(spool), 0);
  t.match(lines[0], /set aside/);
  t.match(readdirSync(join(directory, 'damaged')), ['earlier-00000001.spool']);
});

t.test('it grows to its limit and no further, and takes records again when some have left', async (t) => {
  const directory = t.testdir();
  const { spool } = spoolIn(directory, { maxBytes: 5_000 });
  const fill = async () => {
    for (let i = 0; i < 100; i++) await spool.append([record({ path: '/x'.repeat(200) })]);
  };
  await t.rejects(fill(), { name: 'SpoolFullError' });
  t.ok(spool.bytes <= 5_000 && spool.bytes > 4_000);
  await drain(spool);
  await t.resolves(spool.append([record()]));
});

t.test('a directory that somebody removes costs what was in it, is counted, and is made again', async (t) => {
  const directory = t.testdir();
  const { spool, lines } = spoolIn(directory);
  await spool.append([record(), record()]);
  rmSync(directory, { recursive: true });
  const after = [record()];
  await spool.append(after);
  t.strictSame(await drain(spool), { all: after, lost: 2 });
  t.match(lines[0], /cannot be read/);
});

t.test(
  'a file that is torn, on a disk that has turned read-only, gives what was whole of it',
  { skip: mountMissing(t) },
  async (t) => {
    const directory = mounted(t, 'size=64k');
    const { spool, lines } = spoolIn(directory);
    const records = [record(), record()];
    await spool.append(records);
    t.strictSame((await spool.oldest()).records, records);
    const [path = ''] = files(directory);
    truncateSync(path, readFileSync(path).length - 3);
    turnReadOnly(directory);
    t.match(await spool.oldest(), { records: records.slice(0, 1), lost: 1 });
    t.match(lines[0], /torn spool file cannot be mended/);
  },
);

t.test('a file that cannot be read just now is read later, and one that never can holds nobody up', async (t) => {
  const directory = t.testdir();
  const { spool, lines } = spoolIn(directory);
  const records = [record(), record()];
  await spool.append(records);
  const [path = ''] = files(directory);
  const aside = `${path}.aside`;
  // A directory in its place is an error even for root.
  const hide = () => {
    renameSync(path, aside);
    mkdirSync(path);
  };
  const show = () => {
    rmdirSync(path);
    renameSync(aside, path);
  };
  await spool.oldest();
  hide();
  for (let i = 0; i < 4; i++) await t.rejects(spool.oldest(), { code: 'EISDIR' });
  show();
  t.strictSame((await spool.oldest()).records, records);
  hide();
  const later = [record()];
  await spool.append(later);
  for (let i = 0; i < 4; i++) await t.rejects(spool.oldest(), { code: 'EISDIR' });
  t.match(await spool.oldest(), { records: later, lost: 2 });
  t.match(lines[0], /cannot be read/);
});

t.test('what the database has of a file is neither lost with it nor taken for the next one', async (t) => {
  const directory = t.testdir();
  const { spool } = spoolIn(directory);
  await spool.append([record(), record(), record()]);
  const { segment } = await spool.oldest();
  (segment as Segment).stored = 2;
  rmSync(files(directory)[0] ?? '');
  const next = [record(), record(), record()];
  await spool.append(next);
  t.match(await spool.oldest(), { records: next, lost: 1 });
});

t.test('a disk that is full takes what fits, and the rest when there is room', { skip: mountMissing(t) }, async (t) => {
  const directory = mounted(t, 'size=256k');
  const ballast = join(directory, 'ballast');
  writeFileSync(ballast, Buffer.alloc(128 * 1024));
  const { spool } = spoolIn(directory);
  const taken: ReturnType<typeof record>[] = [];
  const one = () => record({ path: '/x'.repeat(500) });
  await t.rejects(
    async () => {
      for (;;) {
        const records = [one(), one(), one(), one(), one()];
        await spool.append(records);
        taken.push(...records);
      }
    },
    { code: 'ENOSPC' },
  );
  rmSync(ballast);
  const last = one();
  await spool.append([last]);
  const { all, lost } = await drain(spool);
  t.strictSame([all.map(({ id }) => id), lost], [[...taken, last].map(({ id }) => id), 0]);
});

t.test('a disk that turns read-only gives what is on it', { skip: mountMissing(t) }, async (t) => {
  const directory = mounted(t, 'size=64k');
  const { spool, lines } = spoolIn(directory);
  await spool.append([record(), record()]);
  const { segment, records } = await spool.oldest();
  t.equal(records.length, 2);
  turnReadOnly(directory);
  await spool.remove(segment as Segment);
  t.ok(spool.isEmpty, 'and what is done with is not read again, though it cannot be removed');
  t.match(lines[0], /cannot be removed/);
});

t.test('a read-only disk takes nothing and says so', { skip: mountMissing(t) }, async (t) => {
  const { spool } = spoolIn(join(mounted(t, 'size=64k,ro'), 'spool'));
  await t.rejects(spool.append([record()]), { code: 'EROFS' });
  t.ok(spool.isEmpty);
  await t.rejects(spoolIn('/proc/spool/of/mine').spool.append([record()]), { code: 'ENOENT' });
});

t.test('what was added is on the disk after a sync, also in files that were ended meanwhile', async (t) => {
  const { spool } = spoolIn(t.testdir());
  const { unsynced, lost } = await watchSyncs(t);
  const chunk = Array.from({ length: 500 }, () => record({ path: `/${'x'.repeat(1_000)}` }));
  // Each is more than half a file.
  for (let i = 0; i < 4; i++) await spool.append(chunk);
  await spool.append([record()]);
  await spool.oldest();
  await spool.sync();
  t.strictSame([unsynced.size, lost.length], [0, 0]);
  await spool.append([record()]);
  await drain(spool);
  t.strictSame(lost, [], 'nor one that is read while it is written to');
  await spool.close();
});
