import { defaultTextMapGetter, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import Fastify from 'fastify';
import t from 'tap';
import { insertOf } from '../../plugins/request-log/stores/postgres/insert.js';
import { traceIdIn } from '../../plugins/trace-context.js';
import { BoundedPropagator } from '../../plugins/tracing/propagator.js';
import { loadConfig } from '../../src/config/index.js';
import { fastifyOptions } from '../../src/fastify-options.js';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase, onPostgres } from '../database.js';
import { openEarlier } from './database/earlier.js';
import { record } from './request-log/records.js';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${parent}-01`;
const [zeroTrace, zeroParent] = ['0'.repeat(32), '0'.repeat(16)];

/** The trace id that OpenTelemetry reads: a row and its span have the same. */
function traceIdInSpan(header: string): string | null {
  const extracted = new BoundedPropagator().extract(ROOT_CONTEXT, { traceparent: header }, defaultTextMapGetter);
  return trace.getSpanContext(extracted)?.traceId ?? null;
}

t.test('a traceparent is accepted as the W3C specifies, and everything else is ignored', async (t) => {
  for (const valid of [
    traceparent,
    `00-${traceId}-${parent}-00`,
    `cc-${traceId}-${parent}-01-what-follows`,
    `cc-${traceId}-${parent}-01-${'x'.repeat(1_000)}`,
    `01-${traceId}-${parent}-ff`,
  ])
    for (const read of [traceIdIn, traceIdInSpan]) t.equal(read(valid), traceId, valid);
  for (const invalid of [
    '',
    'x',
    traceparent.toUpperCase(),
    `${traceparent}-more`,
    `${traceparent}, ${traceparent}`,
    `ff-${traceId}-${parent}-01`,
    `00-${zeroTrace}-${parent}-01`,
    `00-${traceId}-${zeroParent}-01`,
    `00-${traceId}-${parent}`,
    `0-${traceId}-${parent}-01`,
    `cc-${traceId}-${parent}-01.what`,
    `00-${traceId}-${parent}-0\u0000`,
  ])
    for (const read of [traceIdIn, traceIdInSpan]) t.equal(read(invalid), null, JSON.stringify(invalid));
});

t.test('the trace of a request is in its row, its problem, the filters, the export and the stream', async (t) => {
  const app = await startApp({
    ...(await createTestDatabase()),
    TRACE_URL: 'https://tempo.example/trace/{traceId}?x={traceId}',
  });
  const admin = await keyHeaders(app, 'admin');
  const streamed: unknown[] = [];
  app.requestLog.onRecord((records) => streamed.push(...records.map((record) => record.traceId)));
  const traced = clientOf(app, { ...admin, traceparent });
  const request = clientOf(app, admin);
  const { body: problem, headers } = await traced('GET', '/absent');
  t.match(problem, { code: 'NOT_FOUND', traceId });
  t.notOk((await request('GET', '/absent')).body.traceId);
  const invalid = clientOf(app, { ...admin, traceparent: `${traceparent}\u00ff"\\` });
  t.equal((await invalid('GET', '/v1/me')).status, 200, 'an invalid header does not break a request');

  // The original request of a proxy, and one that the caller of a verification describes.
  t.equal((await traced('GET', '/v1/auth')).status, 204);
  const { key } = await app.apiKeys.create({ name: 'verified' });
  const other = '4bf92f3577b34da6a3ce929d0e0e4736';
  const verify = (context: string) => traced('POST', '/v1/api-keys/verify', { key, traceparent: context });
  t.equal((await verify(`00-${other}-${parent}-01`)).status, 200);
  t.equal((await verify('nonsense')).status, 200);

  await app.requestLog.flush();
  const found = async (query: string) => (await request('GET', `/v1/request-logs?${query}`)).body.data;
  t.match(
    (await found(`traceId=${traceId}`)).map(({ path }: { path: string }) => path),
    ['/v1/api-keys/verify', '/v1/auth', '/absent'],
  );
  t.match(await found(`traceId=${other}`), [{ path: '/v1/api-keys/verify', traceId: other }]);
  t.match((await request('GET', `/v1/request-logs/${headers['x-request-id']}`)).body, {
    traceId,
    traceUrl: `https://tempo.example/trace/${traceId}?x=${traceId}`,
  });
  t.match((await request('GET', '/v1/request-logs?traceId=x')).body, { errors: [{ path: '/querystring/traceId' }] });
  const exported = await app.inject({ url: `/v1/request-logs/export?format=csv&traceId=${other}`, headers: admin });
  t.match(exported.body, new RegExp(`,traceId\r?\n.*,${other}\r?\n$`));
  t.strictSame(streamed.filter(Boolean), [traceId, traceId, other, traceId]);
});

t.test('log lines of a request in a trace have its id, and a span', async (t) => {
  const lines: string[] = [];
  const options = fastifyOptions(loadConfig(await createTestDatabase()));
  const app = Fastify({
    ...options,
    logger: { ...(options.logger as object), stream: { write: (line: string) => lines.push(line) } },
  });
  app.get('/', async (request) => {
    request.log.info('seen');
    return request.id;
  });
  const { body: id } = await app.inject({ url: '/', headers: { traceparent } });
  await app.inject({ url: '/', headers: { traceparent: 'invalid' } });
  const [first, second] = lines.map((line) => JSON.parse(line));
  t.match(first, { level: 30, time: Number, msg: 'seen', requestId: id, trace_id: traceId, span_id: /^[0-9a-f]{16}$/ });
  t.ok(id.replaceAll('-', '').endsWith(first.span_id), 'the span is found by the id of the request');
  t.notOk(second.trace_id);
  await app.close();
});

t.test('a database of the version before gets the column, and replicas of it still write rows', async (t) => {
  const own = await createTestDatabase({ migrated: false });
  const { database: old } = await openEarlier(t, loadConfig(own).database, '20261128040000');
  const insertEarlier = () =>
    old.pool.query(
      `INSERT INTO ${old.quotedSchema}.request_logs (id, method, path, "statusCode", duration, ip, "createdAt")
       VALUES ($1, 'GET', '/earlier', 200, 1, '::1', now() AT TIME ZONE 'UTC')`,
      [record().id],
    );
  await old.pool.query(`SELECT ${old.quotedSchema}.request_logs_add_days(0, (now() AT TIME ZONE 'UTC')::date)`);
  await insertEarlier();
  // Only one process can open the embedded database.
  if (!onPostgres) await old.close();
  const app = await startApp(own);
  if (onPostgres) {
    await insertEarlier();
    await old.close();
  }
  await app.database.pool.query(insertOf([record({ path: '/since', traceId })], 'unprepared'));
  const request = clientOf(app, await keyHeaders(app, 'admin'));
  const { body } = await request('GET', '/v1/request-logs?path=/earlier');
  t.match(body.data, Array(onPostgres ? 2 : 1).fill({ traceId: null }));
  t.match((await request('GET', `/v1/request-logs?traceId=${traceId}`)).body.data, [{ path: '/since' }]);
});
