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
import { crc32 } from 'node:zlib';
import pino from 'pino';
import t, { type Test } from 'tap';
import type { RequestRecord } from '../../../plugins/request-log/record.js';
import { decode, encode, fileHead, scan } from '../../../plugins/request-log/spool/format.js';
import { type Oldest, Spool } from '../../../plugins/request-log/spool/index.js';
import type { Segment } from '../../../plugins/request-log/spool/segment.js';
import { record } from './records.js';
import { mountDisk, mountSkipReason, remountReadOnly } from './small-disk.js';

const maxBytes = 2 ** 30;

/** Creates a spool in this directory, and collects its log. */
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

function recordsIn({ batches }: Oldest): RequestRecord[] {
  return batches.flatMap(({ records }) => records);
}

async function drain(spool: Spool) {
  const all = [];
  let lost = 0;
  while (!spool.isEmpty) {
    const oldest = await spool.oldest();
    all.push(...recordsIn(oldest));
    lost += oldest.lost;
    if (oldest.segment) await spool.remove(oldest.segment);
  }
  return { all, lost };
}

/** Lets a spool adopt the files of earlier processes. @returns the number of records */
async function adoptFiles(spool: Spool): Promise<number> {
  let sum = 0;
  await spool.adopt((records) => {
    sum += records;
  });
  return sum;
}

/** Tracks the files with unsynced data, and those that were closed with unsynced data. */
async function trackSyncs(t: Test) {
  const handle = await open(import.meta.filename);
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const unsynced = new Set<unknown>();
  const lost: unknown[] = [];
  const intercept = (method: string, onCall: (file: unknown) => void) => {
    const original = prototype[method];
    t.teardown(() => Object.assign(prototype, { [method]: original }));
    prototype[method] = function (...args: unknown[]) {
      onCall(this);
      return Reflect.apply(original, this, args);
    };
  };
  intercept('appendFile', (file) => unsynced.add(file));
  intercept('datasync', (file) => unsynced.delete(file));
  intercept('close', (file) => unsynced.has(file) && lost.push(file));
  return { unsynced, lost };
}

/** Writes a spool file as a killed process leaves it, without closing it. */
async function writeLeftover(directory: string, records: ReturnType<typeof record>[]) {
  mkdirSync(join(directory, 'earlier'), { recursive: true });
  writeFileSync(join(directory, 'earlier', '00000001.spool'), Buffer.concat([fileHead, await encode(records)]));
}

t.test('records are read back unchanged, oldest first, from several files, which are then removed', async (t) => {
  const directory = t.testdir();
  const { spool } = spoolIn(directory);
  const records = Array.from({ length: 12_000 }, (_, i) => record({ path: `/${i}/é"\n`, userAgent: 'x'.repeat(100) }));
  for (let at = 0; at < records.length; at += 500) await spool.append(records.slice(at, at + 500));
  await spool.sync();
  t.ok(files(directory).length > 2);
  t.strictSame(await drain(spool), { all: records, lost: 0 });
  t.strictSame([files(directory), spool.bytes], [[], 0]);
  await spool.append([record()]);
  t.equal((await drain(spool)).all.length, 1);
});

t.test('a new process adopts the records of an earlier process, but not those of a running one', async (t) => {
  const directory = t.testdir();
  const running = spoolIn(directory).spool;
  await running.append([record()]);
  const closed = spoolIn(directory).spool;
  const left = [record(), record()];
  await closed.append(left);
  await closed.close();
  const next = spoolIn(directory).spool;
  t.equal(await adoptFiles(next), 2);
  t.strictSame((await drain(next)).all, left);
  t.equal((await drain(running)).all.length, 1);
});

t.test('an incomplete end of a file is truncated, and complete records before it are kept', async (t) => {
  const records = [record(), record({ path: '/é' })];
  const whole = Buffer.concat([fileHead, await encode(records)]);
  const first = fileHead.length + (await encode(records.slice(0, 1))).length;
  for (let length = 0; length < whole.length; length++) {
    const { state, bodies: good } = scan(whole.subarray(0, length));
    if (![fileHead.length, first].includes(length) && state !== 'torn') t.fail(`${state} at ${length}`);
    if (good.length !== (length >= first ? 1 : 0)) t.fail(`${good.length} records at ${length}`);
  }
  t.match(scan(Buffer.concat([whole, Buffer.alloc(4_096)])), { state: 'torn', wholeBytes: whole.length });

  const directory = t.testdir();
  await writeLeftover(directory, records);
  truncateSync(files(directory)[0] ?? '', whole.length - 3);
  const { spool, lines } = spoolIn(directory);
  t.equal(await adoptFiles(spool), 1);
  t.equal(readFileSync(files(directory)[0] ?? '').length, first);
  t.strictSame(lines, []);
});

t.test('a damaged file is moved and logged, and its intact records stay', async (t) => {
  const directory = t.testdir();
  const records = [record(), record(), record()];
  const first = fileHead.length + (await encode(records.slice(0, 1))).length;
  await writeLeftover(directory, records);
  const [path = ''] = files(directory);
  const bytes = readFileSync(path);
  bytes[first + 20] = (bytes[first + 20] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const { spool, lines } = spoolIn(directory);
  t.equal(await adoptFiles(spool), 1);
  const { file } = JSON.parse(lines[0] ?? '');
  t.strictSame(readFileSync(file), bytes, 'the moved file is unchanged, for inspection');
  t.strictSame((await drain(spool)).all, records.slice(0, 1));
});

t.test('a file that is not a spool file is moved too', async (t) => {
  const directory = t.testdir({ earlier: { '00000001.spool': 'something else that somebody put here' } });
  const { spool, lines } = spoolIn(directory);
  t.equal(await adoptFiles(spool), 0);
  t.match(lines[0], /spool file was moved/);
  t.match(readdirSync(join(directory, 'damaged')), ['earlier-00000001.spool']);
});

t.test('the spool grows only to its limit, and accepts records again after some have left', async (t) => {
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

t.test('the records of a removed directory are counted as lost, and the directory is created again', async (t) => {
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
  'the complete records of a torn file can be read on a disk that becomes read-only',
  { skip: mountSkipReason(t) },
  async (t) => {
    const directory = mountDisk(t, 'size=64k');
    const { spool, lines } = spoolIn(directory);
    const records = [record(), record()];
    await spool.append(records);
    t.strictSame(recordsIn(await spool.oldest()), records);
    const [path = ''] = files(directory);
    truncateSync(path, readFileSync(path).length - 3);
    await remountReadOnly(directory);
    t.match(await spool.oldest(), { batches: [{ records: records.slice(0, 1) }], lost: 1 });
    t.match(lines[0], /torn spool file cannot be repaired/);
  },
);

t.test('a file that cannot be read is retried, and then skipped', async (t) => {
  const directory = t.testdir();
  const { spool, lines } = spoolIn(directory);
  const records = [record(), record()];
  await spool.append(records);
  const [path = ''] = files(directory);
  const aside = `${path}.aside`;
  // Reading a directory fails even for root.
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
  t.strictSame(recordsIn(await spool.oldest()), records);
  hide();
  const later = [record()];
  await spool.append(later);
  for (let i = 0; i < 4; i++) await t.rejects(spool.oldest(), { code: 'EISDIR' });
  t.match(await spool.oldest(), { batches: [{ records: later }], lost: 2 });
  t.match(lines[0], /cannot be read/);
});

t.test('the lost records of a skipped file are counted when the next file cannot be read either', async (t) => {
  const directory = t.testdir();
  const { spool } = spoolIn(directory);
  for (const records of [[record(), record()], [record()]]) {
    await spool.append(records);
    // Ends the file.
    await spool.oldest();
  }
  for (const path of files(directory)) {
    rmSync(path);
    mkdirSync(path);
  }
  for (const lost of [2, 1]) {
    for (let i = 0; i < 4; i++) await t.rejects(spool.oldest(), { code: 'EISDIR' });
    t.strictSame(await spool.oldest(), { segment: undefined, batches: [], lost });
  }
});

t.test('records are counted as lost at once when a file is in place of their directory', async (t) => {
  const directory = join(t.testdir(), 'spool');
  const { spool } = spoolIn(directory);
  await spool.append([record(), record()]);
  rmSync(directory, { recursive: true });
  writeFileSync(directory, '');
  t.strictSame(await spool.oldest(), { segment: undefined, batches: [], lost: 2 });
});

t.test('stored records of a removed file are not counted as lost, and not subtracted from the next file', async (t) => {
  const directory = t.testdir();
  const { spool } = spoolIn(directory);
  await spool.append([record(), record(), record()]);
  const { segment } = await spool.oldest();
  (segment as Segment).stored = 2;
  rmSync(files(directory)[0] ?? '');
  const next = [record(), record(), record()];
  await spool.append(next);
  t.match(await spool.oldest(), { batches: [{ records: next }], lost: 1 });
});

t.test(
  'a full disk keeps what fits, and accepts records again when there is space',
  { skip: mountSkipReason(t) },
  async (t) => {
    const directory = mountDisk(t, 'size=256k');
    const ballast = join(directory, 'ballast');
    writeFileSync(ballast, Buffer.alloc(128 * 1024));
    const { spool } = spoolIn(directory);
    const appended: ReturnType<typeof record>[] = [];
    const one = () => record({ path: '/x'.repeat(500) });
    await t.rejects(
      async () => {
        for (;;) {
          const records = [one(), one(), one(), one(), one()];
          await spool.append(records);
          appended.push(...records);
        }
      },
      { code: 'ENOSPC' },
    );
    rmSync(ballast);
    const last = one();
    await spool.append([last]);
    const { all, lost } = await drain(spool);
    t.strictSame([all.map(({ id }) => id), lost], [[...appended, last].map(({ id }) => id), 0]);
  },
);

t.test('records on a disk that becomes read-only can be read', { skip: mountSkipReason(t) }, async (t) => {
  const directory = mountDisk(t, 'size=64k');
  const { spool, lines } = spoolIn(directory);
  await spool.append([record(), record()]);
  const { segment, batches } = await spool.oldest();
  t.match(batches, [{ records: [{}, {}] }]);
  await remountReadOnly(directory);
  await spool.remove(segment as Segment);
  t.ok(spool.isEmpty, 'a processed file is not read again, although it cannot be removed');
  t.match(lines[0], /cannot be removed/);
});

t.test('appending to a read-only disk fails with the error', { skip: mountSkipReason(t) }, async (t) => {
  const { spool } = spoolIn(join(mountDisk(t, 'size=64k,ro'), 'spool'));
  await t.rejects(spool.append([record()]), { code: 'EROFS' });
  t.ok(spool.isEmpty);
  await t.rejects(spoolIn('/proc/spool/of/mine').spool.append([record()]), { code: 'ENOENT' });
});

t.test('appended records are on the disk after a sync, also in files that have been completed', async (t) => {
  const { spool } = spoolIn(t.testdir());
  const { unsynced, lost } = await trackSyncs(t);
  const chunk = Array.from({ length: 500 }, () => record({ path: `/${'x'.repeat(1_000)}` }));
  // Each chunk is more than half a file.
  for (let i = 0; i < 4; i++) await spool.append(chunk);
  await spool.append([record()]);
  await spool.oldest();
  await spool.sync();
  t.strictSame([unsynced.size, lost.length], [0, 0]);
  await spool.append([record()]);
  await drain(spool);
  t.strictSame(lost, [], 'a file that is read while it is written is synced too');
  await spool.close();
});

t.test('a record with missing or invalid fields is completed, and other values are counted as lost', async (t) => {
  const directory = t.testdir();
  const { spool } = spoolIn(directory);
  const { route: _, ...withoutRoute } = record();
  const odd = { id: record().id, path: 7, statusCode: 'x' };
  await spool.append([record(), withoutRoute, odd, 'text', {}, record()] as unknown as RequestRecord[]);
  const oldest = await spool.oldest();
  t.equal(oldest.lost, 2);
  t.match(recordsIn(oldest), [
    { route: '/' },
    { route: '' },
    { path: '', statusCode: 0, method: 'GET' },
    { route: '/' },
  ]);
  await spool.close();
});

t.test('a batch that was sent is read back as one batch, and other records as large batches', async (t) => {
  const { spool } = spoolIn(t.testdir());
  const make = (length: number) => Array.from({ length }, () => record());
  const parts = [30, 15, 10, 20, 26, 27, 1].map(make);
  const wereSent = [2, 3];
  for (const [i, records] of parts.entries()) await spool.append(records, wereSent.includes(i));
  const { batches } = await spool.oldest();
  const all = parts.flat();
  const expected = (...starts: number[]) =>
    starts.map((start, i) => ({ id: all[start]?.id, records: all.slice(start, starts[i + 1]) }));
  t.strictSame(batches, expected(0, 45, 55, 75));
  const encoded = await Promise.all(parts.map((records, i) => encode(records, wereSent.includes(i))));
  const file = Buffer.concat([fileHead, ...encoded]);
  t.strictSame(await decode(scan(file).bodies, 40), expected(0, 40, 45, 55, 75, 115));
});

t.test('records of an earlier version are read in batches without an id', async (t) => {
  const records = Array.from({ length: 3 }, () => record());
  const frames = records.flatMap((one) => {
    const body = Buffer.from(JSON.stringify(one));
    const head = Buffer.alloc(8);
    head.writeUInt32LE(body.length, 0);
    head.writeUInt32LE(crc32(body), 4);
    return [head, body];
  });
  const directory = t.testdir({ earlier: { '00000001.spool': Buffer.concat([Buffer.from('MEZLOG1\n'), ...frames]) } });
  const { spool } = spoolIn(directory);
  t.equal(await adoptFiles(spool), 3);
  const { batches, lost } = await spool.oldest();
  t.strictSame([batches, lost], [[{ id: null, records }], 0]);
});
