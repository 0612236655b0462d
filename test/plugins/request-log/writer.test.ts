import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import type pg from 'pg';
import t, { type Test } from 'tap';
import { uuidv7 } from 'uuidv7';
import type { DatabaseHandle } from '../../../plugins/database/index.js';
import type { QuotaCharge } from '../../../plugins/limits/quota-counter.js';
import type { Batch } from '../../../plugins/request-log/batch.js';
import { type RequestRecord, recordOf } from '../../../plugins/request-log/record.js';
import { Spool } from '../../../plugins/request-log/spool/index.js';
import { insertOf } from '../../../plugins/request-log/stores/postgres/insert.js';
import { RequestLogWriter, type WriterOptions } from '../../../plugins/request-log/writer.js';
import { startApp } from '../../app.js';
import { createTestDatabase } from '../../database.js';
import { record, writerStore } from './records.js';

const app = await startApp(await createTestDatabase());
const options = { flushIntervalMs: 5, bufferRows: 100 };

/** Creates a writer with its own spool directory. With a limit of 0 bytes nothing is spooled. */
function createWriter(
  t: Test,
  database: DatabaseHandle,
  { spoolMaxBytes = 0, ...rest }: Partial<WriterOptions & { spoolMaxBytes: number }> = {},
) {
  const spool = new Spool({ directory: t.testdir(), maxBytes: spoolMaxBytes }, app.log);
  return new RequestLogWriter(writerStore(database, app.log), spool, { ...options, ...rest }, app.log);
}

/** A database whose pool fails as the test decides. A real database cannot be made to fail after a write. */
function failingDatabase(fail: (attempt: number, query: () => Promise<unknown>) => Promise<unknown>) {
  let attempt = 0;
  const pool = {
    query: (query: pg.QueryConfig) => fail(++attempt, () => app.database.pool.query(query)),
  } as unknown as pg.Pool;
  return { ...app.database, logPool: pool, isReady: true, ready: Promise.resolve() };
}

const unready: DatabaseHandle = { ...failingDatabase(async () => {}), isReady: false, ready: new Promise(() => {}) };

async function rowsOf(...records: RequestRecord[]) {
  const ids = records.map(({ id }) => id);
  const { rows } = await app.database.pool.query('SELECT * FROM request_logs WHERE id = ANY ($1) ORDER BY id', [ids]);
  return rows;
}

t.test('a batch is not written twice when the response of the database is lost', async (t) => {
  const database = failingDatabase(async (attempt, query) => {
    await query();
    if (attempt === 1) throw new Error('connection lost after the write');
  });
  const writer = createWriter(t, database);
  const records = [record(), record()];
  records.forEach((r) => void writer.push(r));
  await writer.flush();
  t.equal((await rowsOf(...records)).length, 2);
  t.strictSame(writer.counts, { accepted: 2, written: 2, buffered: 0, spooled: 0, dropped: 0 });
});

t.test('a failed batch is retried until the database accepts it', async (t) => {
  const database = failingDatabase(async (attempt, query) => {
    if (attempt < 4) throw new Error('away');
    await query();
  });
  const writer = createWriter(t, database);
  const one = record();
  writer.push(one);
  await writer.flush();
  t.equal((await rowsOf(one)).length, 1);
});

t.test('a full buffer drops and counts the newest records, and nothing else is lost', async (t) => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const writer = createWriter(
    t,
    failingDatabase((_attempt, query) => opened.then(query)),
  );
  const records = Array.from({ length: 130 }, () => record());
  records.forEach((r) => void writer.push(r));
  t.match(writer.counts, { accepted: 130, buffered: 100, dropped: 30 });
  const flushed = writer.flush();
  t.match(writer.counts, { accepted: 130, buffered: 100, dropped: 30 }, 'records in flight count as buffered');
  open();
  await flushed;
  t.strictSame(writer.counts, { accepted: 130, written: 100, buffered: 0, spooled: 0, dropped: 30 });
  t.equal((await rowsOf(...records)).length, 100);
});

t.test('flush() writes all buffered records, in as many batches as needed', async (t) => {
  const writer = createWriter(t, app.database, { flushIntervalMs: 60_000, bufferRows: 50_000 });
  const records = Array.from({ length: 12_345 }, () => record());
  records.forEach((r) => void writer.push(r));
  await writer.flush();
  t.equal(writer.counts.written, records.length);
  t.equal((await rowsOf(...records)).length, records.length);
});

t.test('without a spool, records that are not written before the writer closes are counted as dropped', async (t) => {
  const writer = createWriter(t, unready);
  writer.push(record());
  await writer.close();
  t.strictSame(writer.counts, { accepted: 1, written: 0, buffered: 0, spooled: 0, dropped: 1 });
});

t.test('a failed batch goes through the spool to the database, and each record is emitted once', async (t) => {
  const database = failingDatabase(async (attempt, query) => {
    if (attempt < 3) throw new Error('away');
    await query();
  });
  const writer = createWriter(t, database, { spoolMaxBytes: 2 ** 20 });
  const emitted: string[] = [];
  writer.onRecord.add((records) => emitted.push(...records.map(({ id }) => id)));
  const records = [record(), record()];
  records.forEach((r) => void writer.push(r));
  await writer.flush();
  t.strictSame(writer.counts, { accepted: 2, written: 0, buffered: 0, spooled: 2, dropped: 0 });
  await new Promise<void>((resolve) => writer.onBatch.add(() => resolve()));
  t.strictSame(writer.counts, { accepted: 2, written: 2, buffered: 0, spooled: 0, dropped: 0 });
  t.equal((await rowsOf(...records)).length, 2);
  t.strictSame(
    emitted,
    records.map(({ id }) => id),
    'emitted once',
  );
  await writer.close();
});

t.test(
  'a batch that fails keeps its id and its records, in memory, in the spool and in the next process',
  async (t) => {
    for (const spoolMaxBytes of [0, 2 ** 20]) {
      const directory = t.testdir();
      const written: Batch[] = [];
      const writers: RequestLogWriter[] = [];
      const start = (failures: number) => {
        const store = {
          isReady: true,
          ready: Promise.resolve(),
          async write(batch: Batch) {
            written.push(batch);
            writers.at(-1)?.push(record());
            if (written.length <= failures) throw new Error('the response is lost');
            return [];
          },
        };
        const spool = new Spool({ directory, maxBytes: spoolMaxBytes }, app.log);
        const writer = new RequestLogWriter(store, spool, options, app.log);
        writers.push(writer);
        return writer;
      };
      const first = start(2);
      const records = [record(), record(), record()];
      for (const one of records) first.push(one);
      await first.flush();
      if (spoolMaxBytes > 0) {
        await first.close();
        await start(0).start();
      }
      while (written.length < 5) await new Promise((resolve) => setTimeout(resolve, 1));
      const [batch, ...others] = written;
      t.strictSame(batch, { id: records[0]?.id, records });
      t.strictSame(
        others.filter(({ records: sent }) => sent.some(({ id }) => records.some((one) => one.id === id))),
        [batch, batch],
      );
      for (const writer of writers) await writer.close();
    }
  },
);

t.test('records behind a slow batch are moved to the spool', async (t) => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const database = failingDatabase(async (attempt, query) => {
    if (attempt === 1) await opened;
    await query();
  });
  const writer = createWriter(t, database, { spoolMaxBytes: 2 ** 20 });
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

t.test('flush() moves records to the spool while the database is not ready', async (t) => {
  const writer = createWriter(t, unready, { spoolMaxBytes: 2 ** 20, flushIntervalMs: 60_000 });
  writer.push(record());
  await writer.flush();
  t.match(writer.counts, { buffered: 0, spooled: 1 });
  await writer.close();
});

t.test('spooled records are written when the database becomes ready, without further records', async (t) => {
  let markReady = () => {};
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });
  const database = { ...app.database, isReady: false, ready };
  const writer = createWriter(t, database, { spoolMaxBytes: 2 ** 20 });
  const one = record();
  writer.push(one);
  while (writer.counts.spooled < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  database.isReady = true;
  markReady();
  while (writer.counts.written < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  t.equal((await rowsOf(one)).length, 1);
  await writer.close();
});

t.test('close() writes spooled records if the database is available', async (t) => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const database = failingDatabase(async (attempt, query) => {
    if (attempt === 1) await opened;
    await query();
  });
  const writer = createWriter(t, database, { spoolMaxBytes: 2 ** 20 });
  const records = [record(), record()];
  writer.push(records[0] as RequestRecord);
  const sending = writer.flush();
  writer.push(records[1] as RequestRecord);
  while (writer.counts.spooled < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  open();
  await Promise.all([sending, writer.close()]);
  t.strictSame(writer.counts, { accepted: 2, written: 2, buffered: 0, spooled: 0, dropped: 0 });
});

t.test('a spool that is not writable does not stop the retries', async (t) => {
  const directory = join(t.testdir({ file: '' }), 'file', 'spool');
  // Several writers, because it depends on the timers whether one stops.
  const writers = Array.from({ length: 20 }, () => {
    const database = failingDatabase(async (attempt, query) => {
      if (attempt < 5) throw new Error('away');
      await query();
    });
    const spool = new Spool({ directory, maxBytes: 2 ** 20 }, app.log);
    return new RequestLogWriter(writerStore(database, app.log), spool, options, app.log);
  });
  for (const writer of writers) for (let i = 0; i < options.bufferRows + 10; i++) writer.push(record());
  const isDone = ({ counts }: RequestLogWriter) => counts.written === options.bufferRows;
  while (!writers.every(isDone)) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const writer of writers) {
    t.strictSame(writer.counts, { accepted: 110, written: 100, buffered: 0, spooled: 0, dropped: 10 });
    await writer.close();
  }
});

t.test('flush() waits for records that are being moved to the spool', async (t) => {
  const spool = new Spool({ directory: t.testdir(), maxBytes: 2 ** 20 }, app.log);
  const { append } = spool;
  const calls = new EventEmitter();
  t.intercept(spool, 'append', {
    async value(records: RequestRecord[]) {
      calls.emit('append');
      await once(calls, 'continue');
      return append.call(spool, records);
    },
  });
  const writer = new RequestLogWriter(
    writerStore({ ...app.database, isReady: false }, app.log),
    spool,
    options,
    app.log,
  );
  writer.push(record());
  await once(calls, 'append');
  const flushed = writer.flush();
  setImmediate(() => calls.emit('continue'));
  await flushed;
  t.match(writer.counts, { buffered: 0 });
  await writer.close();
});

t.test('charges of spooled records are settled by the id of the batch that is replayed', async (t) => {
  const charge: QuotaCharge = { kind: 'key', id: 'metered', start: 0, units: 1, replica: 'own' };
  const settled: Batch['id'][] = [];
  const written: Batch['id'][] = [];
  const events = new EventEmitter();
  let isDown = true;
  const store = {
    isReady: true,
    ready: Promise.resolve(),
    async write({ id }: Batch) {
      if (isDown) throw new Error('away');
      written.push(id);
      events.emit('written');
      return [];
    },
    async settleCharges({ id }: Batch) {
      settled.push(id);
      events.emit('settled');
    },
  };
  const spool = new Spool({ directory: t.testdir(), maxBytes: 1_000_000 }, app.log);
  const { append } = spool;
  let appends = 0;
  t.intercept(spool, 'append', {
    value: async (...records: Parameters<typeof append>) => {
      if (appends++ === 0) throw new Error('the disk is full');
      return append.apply(spool, records);
    },
  });
  const writer = new RequestLogWriter(store, spool, options, app.log);
  const metered = [record({ charges: [charge] }), record({ charges: [charge] })];
  for (const each of metered) writer.push(each);
  await once(events, 'settled');
  writer.push(record({ charges: [charge] }));
  await once(events, 'settled');
  t.equal(new Set(settled).size, settled.length, 'each batch is settled once');
  isDown = false;
  while (written.length < settled.length) await once(events, 'written');
  t.strictSame(written.toSorted(), settled.toSorted());
  await writer.close();
});

t.test('records that are not written before the writer closes are written by the next process', async (t) => {
  const directory = t.testdir();
  const make = (database: DatabaseHandle) =>
    new RequestLogWriter(
      writerStore(database, app.log),
      new Spool({ directory, maxBytes: 2 ** 20 }, app.log),
      options,
      app.log,
    );
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

t.test('a record that the database rejects is counted as dropped, and does not block others', async (t) => {
  const poison = record({ statusCode: 2 ** 31 });
  const records = Array.from({ length: 100 }, () => record());
  const writer = createWriter(t, app.database, { bufferRows: 1_000 });
  for (const one of records.toSpliced(37, 0, poison)) writer.push(one);
  await writer.flush();
  t.strictSame(writer.counts, { accepted: 101, written: 100, buffered: 0, spooled: 0, dropped: 1 });
  t.equal((await rowsOf(...records, poison)).length, 100);
});

t.test('a rejected record from the spool does not block others', async (t) => {
  const database = { ...app.database, isReady: false, ready: Promise.resolve() };
  const writer = createWriter(t, database, { spoolMaxBytes: 2 ** 20 });
  const poison = record({ statusCode: 2 ** 31 });
  const records = Array.from({ length: 10 }, () => record());
  for (const one of [poison, ...records]) writer.push(one);
  while (writer.counts.written < 10) await new Promise((resolve) => setTimeout(resolve, 1));
  t.strictSame(writer.counts, { accepted: 11, written: 10, buffered: 0, spooled: 0, dropped: 1 });
  t.equal((await rowsOf(...records, poison)).length, 10);
  await writer.close();
});

t.test('a request that lasts longer than the maximum duration is stored with the maximum', async (t) => {
  const one = record({ durationMs: 31 * 86_400_000 });
  await app.database.pool.query(insertOf([one], 'unprepared'));
  t.match(await rowsOf(one), [{ duration: 2 ** 31 - 1 }]);
});

t.test('no record is dropped because the table is missing', async (t) => {
  await app.database.pool.query('ALTER TABLE request_logs RENAME TO mislaid');
  const writer = createWriter(t, app.database, { spoolMaxBytes: 2 ** 20 });
  const one = record();
  writer.push(one);
  await writer.flush();
  t.match(writer.counts, { spooled: 1, dropped: 0 });
  await app.database.pool.query('ALTER TABLE mislaid RENAME TO request_logs');
  while (writer.counts.written < 1) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal((await rowsOf(one)).length, 1);
  await writer.close();
});

t.test('text is stored unchanged, but NUL is removed and lone surrogates are replaced', async (t) => {
  const texts = ['', ' ', 'NULL', '"', '\\', '\\"', '{}', ',', "'", '\n', '\ud83d\ude00', 'é', '$1'];
  const records = texts.map((text) => record({ path: text, userAgent: text }));
  await app.database.pool.query(insertOf(records, 'unprepared'));
  t.strictSame(
    (await rowsOf(...records)).map(({ path, userAgent }) => [path, userAgent]),
    texts.map((text) => [text, text]),
  );
  const odd = record({ path: 'a\0b', userAgent: '\ud800' });
  await app.database.pool.query(insertOf([odd], 'unprepared'));
  t.match(await rowsOf(odd), [{ path: 'ab', userAgent: '\ufffd' }]);
});

t.test('a record truncates long fields to the limits of its row', async (t) => {
  const long = 'x'.repeat(8_000);
  const request = {
    routeOptions: {},
    id: uuidv7(),
    method: 'GET',
    url: `/a/path/of/some/length?${long}`,
    ip: long,
    traceId: null,
    headers: { 'user-agent': long },
  };
  const made = recordOf(request as never, `/${long}`, 200, 1.5, undefined);
  t.strictSame([made.path.length, made.ip.length, made.userAgent?.length, made.durationMs], [1_024, 1_024, 1_024, 1.5]);
});

t.test('createdAt is the time in the id, to the millisecond and in UTC', async (t) => {
  const one = record({ id: '01a2064d-8077-7169-98df-ea3154010510' });
  await app.database.pool.query(insertOf([one], 'unprepared'));
  const { rows } = await app.database.pool.query(`SELECT "createdAt"::text AS at FROM request_logs WHERE id = $1`, [
    one.id,
  ]);
  t.equal(Date.parse(`${rows[0].at.replace(' ', 'T')}Z`), 0x01a2064d8077);
});
