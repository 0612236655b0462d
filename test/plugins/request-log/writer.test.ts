import { join } from 'node:path';
import type pg from 'pg';
import t, { type Test } from 'tap';
import { uuidv7 } from 'uuidv7';
import type { DatabaseHandle } from '../../../plugins/database/index.js';
import { insertOf } from '../../../plugins/request-log/insert.js';
import { type RequestRecord, recordOf } from '../../../plugins/request-log/record.js';
import { Spool } from '../../../plugins/request-log/spool/index.js';
import { RequestLogWriter, type WriterOptions } from '../../../plugins/request-log/writer.js';
import { startApp } from '../../app.js';
import { ownDatabase } from '../../database.js';
import { record } from './records.js';

const app = await startApp(await ownDatabase());
const options = { flushIntervalMs: 5, bufferRows: 100 };

/** A writer that spools into a directory of the test's own, unless the limit is 0. */
function writerFor(
  t: Test,
  database: DatabaseHandle,
  { spoolMaxBytes = 0, ...rest }: Partial<WriterOptions & { spoolMaxBytes: number }> = {},
) {
  const spool = new Spool({ directory: t.testdir(), maxBytes: spoolMaxBytes }, app.log);
  return new RequestLogWriter(database, spool, { ...options, ...rest }, app.log);
}

/** Whether records have left the buffer for the spool, where they are not yet. */
function writerIsMoving(writer: RequestLogWriter): boolean {
  return (writer as unknown as { moving?: Promise<void> }).moving !== undefined;
}

/** The database behind a pool that fails as the test says. A real one cannot be made to fail after it has written. */
function failing(fail: (attempt: number, query: () => Promise<unknown>) => Promise<unknown>) {
  let attempt = 0;
  const pool = {
    query: (query: pg.QueryConfig) => fail(++attempt, () => app.database.pool.query(query)),
  } as unknown as pg.Pool;
  return { pool, schema: 'public', embedded: true, createClient: undefined, isReady: true, ready: Promise.resolve() };
}

const unready: DatabaseHandle = { ...failing(async () => {}), isReady: false, ready: new Promise(() => {}) };

async function rowsOf(...records: RequestRecord[]) {
  const ids = records.map(({ id }) => id);
  const { rows } = await app.database.pool.query('SELECT * FROM request_logs WHERE id = ANY ($1) ORDER BY id', [ids]);
  return rows;
}

t.test('a batch that was written although the answer was lost is not written twice', async (t) => {
  const database = failing(async (attempt, query) => {
    await query();
    if (attempt === 1) throw new Error('connection lost after the fact');
  });
  const writer = writerFor(t, database);
  const records = [record(), record()];
  records.forEach((r) => void writer.push(r));
  await writer.flush();
  t.equal((await rowsOf(...records)).length, 2);
  t.strictSame(writer.counts, { accepted: 2, written: 2, buffered: 0, spooled: 0, dropped: 0 });
});

t.test('a database that fails is tried again until it takes the batch', async (t) => {
  const database = failing(async (attempt, query) => {
    if (attempt < 4) throw new Error('away');
    await query();
  });
  const writer = writerFor(t, database);
  const one = record();
  writer.push(one);
  await writer.flush();
  t.equal((await rowsOf(one)).length, 1);
});

t.test('when the buffer is full the newest are dropped and counted, and nothing else is lost', async (t) => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const writer = writerFor(
    t,
    failing((_attempt, query) => opened.then(query)),
  );
  const records = Array.from({ length: 130 }, () => record());
  records.forEach((r) => void writer.push(r));
  t.match(writer.counts, { accepted: 130, buffered: 100, dropped: 30 });
  const flushed = writer.flush();
  t.match(writer.counts, { accepted: 130, buffered: 100, dropped: 30 }, 'what is on its way counts as buffered');
  open();
  await flushed;
  t.strictSame(writer.counts, { accepted: 130, written: 100, buffered: 0, spooled: 0, dropped: 30 });
  t.equal((await rowsOf(...records)).length, 100);
});

t.test('flush() writes all that waits, however many batches that takes', async (t) => {
  const writer = writerFor(t, app.database, { flushIntervalMs: 60_000, bufferRows: 50_000 });
  const records = Array.from({ length: 12_345 }, () => record());
  records.forEach((r) => void writer.push(r));
  await writer.flush();
  t.equal(writer.counts.written, records.length);
  t.equal((await rowsOf(...records)).length, records.length);
});

t.test('without a spool, what the database does not take before the end is counted as dropped', async (t) => {
  const writer = writerFor(t, unready);
  writer.push(record());
  await writer.close();
  t.strictSame(writer.counts, { accepted: 1, written: 0, buffered: 0, spooled: 0, dropped: 1 });
});

t.test('a batch that fails goes to the spool, and from there into the database, in one piece', async (t) => {
  const database = failing(async (attempt, query) => {
    if (attempt < 3) throw new Error('away');
    await query();
  });
  const writer = writerFor(t, database, { spoolMaxBytes: 2 ** 20 });
  const told: string[] = [];
  writer.onRecords.add((records) => told.push(...records.map(({ id }) => id)));
  const records = [record(), record()];
  records.forEach((r) => void writer.push(r));
  await writer.flush();
  t.strictSame(writer.counts, { accepted: 2, written: 0, buffered: 0, spooled: 2, dropped: 0 });
  await new Promise<void>((resolve) => writer.onBatch.add(() => resolve()));
  t.strictSame(writer.counts, { accepted: 2, written: 2, buffered: 0, spooled: 0, dropped: 0 });
  t.equal((await rowsOf(...records)).length, 2);
  t.strictSame(
    told,
    records.map(({ id }) => id),
    'told of once',
  );
  await writer.close();
});

t.test('records behind a batch that takes long do not wait for it in memory', async (t) => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const database = failing(async (attempt, query) => {
    if (attempt === 1) await opened;
    await query();
  });
  const writer = writerFor(t, database, { spoolMaxBytes: 2 ** 20 });
  const records = [record(), record(), record()];
  writer.push(records[0] as never);
  const flushed = writer.flush();
  writer.push(records[1] as never);
  writer.push(records[2] as never);
  while (writer.counts.spooled < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  t.match(writer.counts, { buffered: 1, spooled: 2 });
  open();
  await flushed;
  while (writer.counts.written < 3) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal((await rowsOf(...records)).length, 3);
  await writer.close();
});

t.test('before the database is there flush() leaves records in the spool', async (t) => {
  const writer = writerFor(t, unready, { spoolMaxBytes: 2 ** 20, flushIntervalMs: 60_000 });
  writer.push(record());
  await writer.flush();
  t.match(writer.counts, { buffered: 0, spooled: 1 });
  await writer.close();
});

t.test('and from there they follow when it is there, though no other comes', async (t) => {
  let arrive = () => {};
  const ready = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const database = { ...app.database, isReady: false, ready };
  const writer = writerFor(t, database, { spoolMaxBytes: 2 ** 20 });
  const one = record();
  writer.push(one);
  while (writer.counts.spooled < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  database.isReady = true;
  arrive();
  while (writer.counts.written < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  t.equal((await rowsOf(one)).length, 1);
  await writer.close();
});

t.test('what is in the spool when the end comes is written, while the database is there', async (t) => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const database = failing(async (attempt, query) => {
    if (attempt === 1) await opened;
    await query();
  });
  const writer = writerFor(t, database, { spoolMaxBytes: 2 ** 20 });
  const records = [record(), record()];
  writer.push(records[0] as RequestRecord);
  const sending = writer.flush();
  writer.push(records[1] as RequestRecord);
  while (writer.counts.spooled < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  open();
  await Promise.all([sending, writer.close()]);
  t.strictSame(writer.counts, { accepted: 2, written: 2, buffered: 0, spooled: 0, dropped: 0 });
});

t.test('a spool that takes nothing does not keep the database from being tried again', async (t) => {
  const directory = join(t.testdir({ file: '' }), 'file', 'spool');
  // Several, for whether one comes to a stop is a matter of when its timer runs.
  const writers = Array.from({ length: 20 }, () => {
    const database = failing(async (attempt, query) => {
      if (attempt < 5) throw new Error('away');
      await query();
    });
    const spool = new Spool({ directory, maxBytes: 2 ** 20 }, app.log);
    return new RequestLogWriter(database, spool, options, app.log);
  });
  for (const writer of writers) for (let i = 0; i < options.bufferRows + 10; i++) writer.push(record());
  const isDone = ({ counts }: RequestLogWriter) => counts.written === options.bufferRows;
  while (!writers.every(isDone)) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const writer of writers) {
    t.strictSame(writer.counts, { accepted: 110, written: 100, buffered: 0, spooled: 0, dropped: 10 });
    await writer.close();
  }
});

t.test('flush() waits for records that are just on their way to the spool', async (t) => {
  const spool = new Spool({ directory: t.testdir(), maxBytes: 2 ** 20 }, app.log);
  const { append } = spool;
  let go = () => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  t.intercept(spool, 'append', { value: (records: RequestRecord[]) => held.then(() => append.call(spool, records)) });
  const writer = new RequestLogWriter({ ...app.database, isReady: false }, spool, options, app.log);
  writer.push(record());
  while (writer.counts.buffered > 0 && !writerIsMoving(writer)) await new Promise((resolve) => setTimeout(resolve, 1));
  const flushed = writer.flush();
  setTimeout(go, 20);
  await flushed;
  t.match(writer.counts, { buffered: 0 });
  await writer.close();
});

t.test('what the database does not take before the end is what the next process begins with', async (t) => {
  const directory = t.testdir();
  const make = (database: DatabaseHandle) =>
    new RequestLogWriter(database, new Spool({ directory, maxBytes: 2 ** 20 }, app.log), options, app.log);
  const records = [record(), record()];
  const first = make(unready);
  records.forEach((r) => void first.push(r));
  await first.close();
  t.strictSame(first.counts, { accepted: 2, written: 0, buffered: 0, spooled: 2, dropped: 0 });
  const second = make(app.database);
  await second.start();
  while (second.counts.spooled > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  t.strictSame(second.counts, { accepted: 2, written: 2, buffered: 0, spooled: 0, dropped: 0 });
  t.equal((await rowsOf(...records)).length, 2);
  await second.close();
});

t.test('a record that the database refuses is named and counted, and holds nobody up', async (t) => {
  const poison = record({ statusCode: 2 ** 31 });
  const records = Array.from({ length: 100 }, () => record());
  const writer = writerFor(t, app.database, { bufferRows: 1_000 });
  for (const one of records.toSpliced(37, 0, poison)) writer.push(one);
  await writer.flush();
  t.strictSame(writer.counts, { accepted: 101, written: 100, buffered: 0, spooled: 0, dropped: 1 });
  t.equal((await rowsOf(...records, poison)).length, 100);
});

t.test('nor does one that comes out of the spool', async (t) => {
  const database = { ...app.database, isReady: false, ready: Promise.resolve() };
  const writer = writerFor(t, database, { spoolMaxBytes: 2 ** 20 });
  const poison = record({ statusCode: 2 ** 31 });
  const records = Array.from({ length: 10 }, () => record());
  for (const one of [poison, ...records]) writer.push(one);
  while (writer.counts.written < 10) await new Promise((resolve) => setTimeout(resolve, 1));
  t.strictSame(writer.counts, { accepted: 11, written: 10, buffered: 0, spooled: 0, dropped: 1 });
  t.equal((await rowsOf(...records, poison)).length, 10);
  await writer.close();
});

t.test('a stream of a month is a row as well', async (t) => {
  const one = record({ durationMs: 31 * 86_400_000 });
  await app.database.pool.query(insertOf([one], 'prepared'));
  t.match(await rowsOf(one), [{ duration: 2 ** 31 - 1 }]);
});

t.test('a table that is not there is no reason to drop anything', async (t) => {
  await app.database.pool.query('ALTER TABLE request_logs RENAME TO mislaid');
  const writer = writerFor(t, app.database, { spoolMaxBytes: 2 ** 20 });
  const one = record();
  writer.push(one);
  await writer.flush();
  t.match(writer.counts, { spooled: 1, dropped: 0 });
  await app.database.pool.query('ALTER TABLE mislaid RENAME TO request_logs');
  while (writer.counts.written < 1) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal((await rowsOf(one)).length, 1);
  await writer.close();
});

t.test('text comes back as it was sent, whatever it holds', async (t) => {
  const texts = ['', ' ', 'NULL', '"', '\\', '\\"', '{}', ',', "'", '\n', '\ud83d\ude00', 'é', '$1'];
  const records = texts.map((text) => record({ path: text, userAgent: text }));
  await app.database.pool.query(insertOf(records, 'prepared'));
  t.strictSame(
    (await rowsOf(...records)).map(({ path, userAgent }) => [path, userAgent]),
    texts.map((text) => [text, text]),
  );
  const odd = record({ path: 'a\0b', userAgent: '\ud800' });
  await app.database.pool.query(insertOf([odd], 'prepared'));
  t.match(await rowsOf(odd), [{ path: 'ab', userAgent: '\ufffd' }]);
});

t.test('a record keeps no more of a long request than its row will', async (t) => {
  const long = 'x'.repeat(8_000);
  const request = {
    routeOptions: {},
    id: uuidv7(),
    method: 'GET',
    url: `/a/path/of/some/length?${long}`,
    ip: long,
    headers: { 'user-agent': long },
  };
  const made = recordOf(request as never, { elapsedTime: 1.5 } as never, `/${long}`, 200, null);
  t.strictSame([made.path.length, made.ip.length, made.userAgent?.length, made.durationMs], [1_024, 1_024, 1_024, 1.5]);
});

t.test('createdAt is the time in the id, to the millisecond and in UTC', async (t) => {
  const one = record({ id: '01a2064d-8077-7169-98df-ea3154010510' });
  await app.database.pool.query(insertOf([one], 'prepared'));
  const { rows } = await app.database.pool.query(`SELECT "createdAt"::text AS at FROM request_logs WHERE id = $1`, [
    one.id,
  ]);
  t.equal(Date.parse(`${rows[0].at.replace(' ', 'T')}Z`), 0x01a2064d8077);
});
