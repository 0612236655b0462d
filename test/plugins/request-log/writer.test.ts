import type pg from 'pg';
import t from 'tap';
import { uuidv7 } from 'uuidv7';
import { insertOf } from '../../../plugins/request-log/insert.js';
import { type RequestRecord, recordOf } from '../../../plugins/request-log/record.js';
import { RequestLogWriter } from '../../../plugins/request-log/writer.js';
import { startApp } from '../../app.js';
import { ownDatabase } from '../../database.js';

const app = await startApp(await ownDatabase());
const options = { flushIntervalMs: 5, bufferRows: 100 };

function record(fields: Partial<RequestRecord> = {}): RequestRecord {
  const id = uuidv7();
  return {
    id,
    method: 'GET',
    path: '/',
    route: '/',
    statusCode: 200,
    durationMs: 1,
    ip: '',
    userAgent: null,
    apiKeyId: null,
    ...fields,
  };
}

/** The database behind a pool that fails as the test says. A real one cannot be made to fail after it has written. */
function failing(fail: (attempt: number, query: () => Promise<unknown>) => Promise<unknown>) {
  let attempt = 0;
  const pool = {
    query: (query: pg.QueryConfig) => fail(++attempt, () => app.database.pool.query(query)),
  } as unknown as pg.Pool;
  return { pool, schema: 'public', embedded: true, createClient: undefined, isReady: true, ready: Promise.resolve() };
}

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
  const writer = new RequestLogWriter(database, options, app.log);
  const records = [record(), record()];
  records.forEach((r) => void writer.push(r));
  await writer.flush();
  t.equal((await rowsOf(...records)).length, 2);
  t.strictSame(writer.counts, { accepted: 2, written: 2, buffered: 0, dropped: 0 });
});

t.test('a database that fails is tried again until it takes the batch', async (t) => {
  const database = failing(async (attempt, query) => {
    if (attempt < 4) throw new Error('away');
    await query();
  });
  const writer = new RequestLogWriter(database, options, app.log);
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
  const writer = new RequestLogWriter(
    failing((_attempt, query) => opened.then(query)),
    options,
    app.log,
  );
  const records = Array.from({ length: 130 }, () => record());
  records.forEach((r) => void writer.push(r));
  t.match(writer.counts, { accepted: 130, buffered: 100, dropped: 30 });
  const flushed = writer.flush();
  t.match(writer.counts, { accepted: 130, buffered: 100, dropped: 30 }, 'what is on its way counts as buffered');
  open();
  await flushed;
  t.strictSame(writer.counts, { accepted: 130, written: 100, buffered: 0, dropped: 30 });
  t.equal((await rowsOf(...records)).length, 100);
});

t.test('flush() writes all that waits, however many batches that takes', async (t) => {
  const writer = new RequestLogWriter(app.database, { flushIntervalMs: 60_000, bufferRows: 50_000 }, app.log);
  const records = Array.from({ length: 12_345 }, () => record());
  records.forEach((r) => void writer.push(r));
  await writer.flush();
  t.equal(writer.counts.written, records.length);
  t.equal((await rowsOf(...records)).length, records.length);
});

t.test('what the database does not take before the end is counted as dropped', async (t) => {
  const writer = new RequestLogWriter(
    { ...failing(async () => {}), isReady: false, ready: new Promise(() => {}) },
    options,
    app.log,
  );
  writer.push(record());
  await writer.close();
  t.strictSame(writer.counts, { accepted: 1, written: 0, buffered: 0, dropped: 1 });
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
