import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import Fastify from 'fastify';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { newRequestId } from '../../../plugins/request-id.js';
import { OpenTelemetry } from '../../../plugins/tracing/open-telemetry.js';
import { createTestDatabase, skipOnEmbedded } from '../../database.js';
import { startService } from '../../process.js';
import { needsRedis, startRedis } from '../limits/redis.js';
import { type ReceivedSpan, startCollector } from './collector.js';

const [traceId, parent] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
const traceparent = `00-${traceId}-${parent}-01`;
const [internal, server, client] = [1, 2, 3];
const unset = 0;
const key = generateKey('mez');
const headers = { authorization: `Bearer ${key}` };
/** The statement of a batch. */
const batchQuery = /INSERT INTO \S*request_logs/;
/** Statements that requests and batches start and do not wait for. */
const backgroundQuery = /INSERT INTO \S*quota_thresholds|SET "lastUsed"|LISTEN|transaction_read_only/;

/** Only the end of the process sends spans. */
const sendAtTheEnd = { OTEL_BSP_SCHEDULE_DELAY: '3600000' };

t.test(
  'spans of requests, calls and batches reach the collector in the traces of their callers',
  { skip: needsRedis },
  async (t) => {
    const { url: collector, spans, received } = await startCollector(t);
    const redis = await startRedis(t);
    const service = await startService({
      ...(await createTestDatabase()),
      ...sendAtTheEnd,
      BOOTSTRAP_ADMIN_KEY: key,
      RATE_LIMITS: '1000/1h',
      REDIS_URL: redis.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=team',
      OTEL_SERVICE_NAME: 'gate',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    const send = async (path: string, more: Record<string, string> = {}, method = 'GET', sent?: object) => {
      const response = await fetch(service.url + path, {
        method,
        headers: { ...headers, ...more, ...(sent && { 'content-type': 'application/json' }) },
        ...(sent && { body: JSON.stringify(sent) }),
      });
      const body = await response.text();
      const requestId = response.headers.get('x-request-id') ?? '';
      return { status: response.status, body, requestId, spanId: requestId.replaceAll('-', '').slice(16) };
    };
    const useQuota = async () => {
      const quota = { limit: 5, period: 'month' };
      const created = JSON.parse((await send('/v1/api-keys', {}, 'POST', { name: 'metered', quota })).body);
      for (let use = 0; use < 5; use++) await send('/v1/me', { traceparent, authorization: `Bearer ${created.key}` });
      while (!(await send(`/v1/api-keys/${created.id}/events`)).body.includes('quota-100'));
    };
    const traced = await send('/v1/me?key=value', { traceparent, tracestate: 'vendor=1', 'user-agent': 'agent/1' });
    const longState = await send('/v1/me', { traceparent, tracestate: `vendor=${'1'.repeat(600)}` });
    const unsampled = await send('/v1/me', { traceparent: `00-${traceId}-${parent}-00` });
    const untraced = await send('/v1/request-logs?limit=1');
    const missing = await send('/absent');
    const denied = await send('/v1/me', { authorization: 'Bearer wrong' });
    const unknownMethod = await send('/v1/me', { 'user-agent': 'x'.repeat(5_000) }, 'PROPFIND');
    await useQuota();
    await send('/livez');
    const malformed = await send('/%zz');
    t.match(JSON.parse(malformed.body), { status: 400, traceId: malformed.requestId.replaceAll('-', '') });
    t.match([traced.status, missing.status, denied.status], [200, 404, 401]);
    const newTrace = untraced.requestId.replaceAll('-', '');
    let rows: { data: { path: string }[] } = { data: [] };
    while (rows.data.length === 0)
      rows = JSON.parse(
        (await send(`/v1/request-logs?traceId=${newTrace}`, { traceparent: `00-${traceId}-${parent}-00` })).body,
      );
    t.match(rows.data, [{ id: untraced.requestId, path: '/v1/request-logs' }], 'a new trace is in the row');
    service.child.kill('SIGTERM');
    t.equal(await service.exited, 0);

    const spanOf = ({ spanId }: { spanId: string }) => spans.find((span) => span.spanId === spanId);
    const childrenOf = (span: ReceivedSpan | undefined) =>
      spans.filter(({ parentSpanId }) => parentSpanId === span?.spanId);
    t.match(received.headers, { 'x-tenant': 'team' });
    t.match(received.resource, {
      'service.name': 'gate',
      'service.version': String,
      'deployment.environment.name': 'test',
    });
    t.match(spanOf(traced), {
      name: 'GET /v1/me',
      kind: server,
      traceId,
      parentSpanId: parent,
      status: { code: unset },
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/v1/me',
        'http.response.status_code': 200,
        'url.path': '/v1/me',
        'url.scheme': 'http',
        'client.address': '127.0.0.1',
        'user_agent.original': 'agent/1',
      },
    });
    t.equal(spanOf(traced)?.traceState, 'vendor=1');
    t.match(spanOf(longState), { traceId, traceState: '' });
    t.match(spanOf(unknownMethod), {
      name: 'HTTP',
      attributes: { 'http.request.method': '_OTHER', 'http.request.method_original': 'PROPFIND' },
    });
    t.equal(`${spanOf(unknownMethod)?.attributes['user_agent.original']}`.length, 1_024);
    t.notOk(spanOf(unsampled), 'the caller decides whether its trace is sampled');
    t.match(spanOf(untraced), { name: 'GET /v1/request-logs', traceId: newTrace, parentSpanId: '' });
    t.match(spanOf(missing), {
      name: 'GET',
      status: { code: unset },
      attributes: { 'http.response.status_code': 404 },
    });
    t.match(spanOf(denied), { name: 'GET /v1/me', status: { code: unset, message: '' } });
    t.notOk(
      spans.some(({ attributes }) => attributes['url.path'] === '/livez'),
      'probes have no spans',
    );

    const queries = childrenOf(spanOf(untraced)).flatMap((span) => [span, ...childrenOf(span)]);
    t.ok(
      queries.some(
        ({ kind, traceId: id, attributes }) =>
          kind === client && id === newTrace && attributes['db.system.name'] === 'postgresql',
      ),
      'queries are children of the request',
    );
    const command = childrenOf(spanOf(traced)).find(({ attributes }) => attributes['db.system.name'] === 'redis');
    t.match(command, { kind: client, traceId }, 'commands of Redis are children of the request');
    t.ok(
      spans
        .filter(({ attributes }) => attributes['db.system.name'] === 'redis')
        .every(({ attributes }) => /^\w+$/.test(`${attributes['db.query.text']}`)),
      'without arguments',
    );

    const batches = spans.filter(({ name }) => name === 'request_logs batch');
    const batch = batches.find(({ links }) => links.some(({ spanId }) => spanId === traced.spanId));
    t.match(
      batch,
      { kind: internal, parentSpanId: '', links: [{ traceId }] },
      'a batch is linked to its requests, not their child',
    );
    t.not(batch?.traceId, traceId);
    t.ok(childrenOf(batch).length > 0, 'the insert is a child of the batch');
    t.ok(batches.some(({ links }) => links.some(({ traceId: id }) => id === newTrace)));
    const traces = new Set(spans.filter(({ kind }) => kind === server).map((span) => span.traceId));
    const spansOf = (query: RegExp) => spans.filter(({ attributes }) => query.test(`${attributes['db.query.text']}`));
    t.ok(spansOf(batchQuery).length > 0);
    t.strictSame(
      spansOf(batchQuery).filter((span) => traces.has(span.traceId)),
      [],
      'a batch is in no trace of a request',
    );
    t.strictSame(spansOf(backgroundQuery), [], 'what else runs in the background has no span');
    t.strictSame(
      spans.filter(({ name }) => name === 'pg.connect'),
      [],
      'a connection is in no trace',
    );
  },
);

t.test(
  'an unreachable collector fails no request and no shutdown, and is logged as one condition',
  { skip: skipOnEmbedded },
  async (t) => {
    const service = await startService({
      ...(await createTestDatabase()),
      BOOTSTRAP_ADMIN_KEY: key,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_TIMEOUT: '50',
      OTEL_BSP_SCHEDULE_DELAY: '1',
      OTEL_BSP_MAX_QUEUE_SIZE: '1',
    });
    const send = async () => t.equal((await fetch(`${service.url}/v1/me`, { headers })).status, 200);
    await send();
    const [line] = await service.waitFor(/^.*the collector does not accept spans.*$/m);
    t.match(JSON.parse(line), { level: 40, failures: 1, spans: Number, reason: String });
    for (let i = 0; i < 20; i++) await send();
    t.match(await service.waitFor(/^.*a warning of OpenTelemetry.*$/m), [
      /Dropped \d+ spans because maxQueueSize reached/,
    ]);
    service.child.kill('SIGTERM');
    t.equal(await service.exited, 0);
    t.equal(service.stdout().match(/does not accept spans/g)?.length, 1);
  },
);

t.test('a collector that never answers delays the shutdown by a second', { skip: skipOnEmbedded }, async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const service = await startService({
    ...(await createTestDatabase()),
    ...sendAtTheEnd,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
  });
  await fetch(`${service.url}/v1/me`);
  const stoppedAt = performance.now();
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
  t.ok(performance.now() - stoppedAt < 5_000, 'the exporter itself would wait for 10 s');
});

t.test(
  'without an endpoint, or disabled, no package of OpenTelemetry is loaded',
  { skip: skipOnEmbedded },
  async (t) => {
    // All but the API, which prom-client loads.
    const printLoaded = `
    import { createRequire } from 'node:module';
    import { isMainThread } from 'node:worker_threads';
    const isSdk = (file) => /@opentelemetry.(?!api.)|@fastify.otel/.test(file);
    if (isMainThread) process.on('exit', () => {
      const files = Object.keys(createRequire('/').cache);
      console.log('loaded', files.filter(isSdk).length, 'of', files.length);
    });`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(printLoaded)}`;
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
    const loadedWith = async (variables: NodeJS.ProcessEnv) => {
      const service = await startService({ ...(await createTestDatabase()), ...variables, NODE_OPTIONS });
      service.child.kill('SIGTERM');
      await service.exited;
      const [, loaded, all] = /^loaded (\d+) of (\d+)$/m.exec(service.stdout()) ?? [];
      t.ok(Number(all) > 100, 'the modules of other packages are seen');
      return Number(loaded);
    };
    t.equal(await loadedWith({ OTEL_SERVICE_NAME: 'gate' }), 0);
    t.equal(await loadedWith({ ...endpoint, OTEL_SDK_DISABLED: 'true' }), 0);
    t.equal(await loadedWith({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }), 0);
    t.ok((await loadedWith(endpoint)) > 10);
  },
);

t.test('a batch that is sent again is linked to its requests each time', async (t) => {
  const { url, spans } = await startCollector(t);
  const app = Fastify({ genReqId: newRequestId });
  const openTelemetry = new OpenTelemetry(
    { variables: { OTEL_EXPORTER_OTLP_ENDPOINT: url }, version: '1.0.0', exclude: ['/excluded'] },
    app.log,
  );
  t.equal(process.env.OTEL_EXPORTER_OTLP_ENDPOINT, undefined, 'the environment is as before');
  await openTelemetry.traceRequests(app);
  app.get('/:any', async ({ id }) => id);
  const ids = await Promise.all(['/one', '/two', '/excluded'].map(async (path) => (await app.inject(path)).body));
  const records = ids.map((id) => ({ id }));
  await t.rejects(
    openTelemetry.traceBatch(records, () => Promise.reject(Object.assign(new Error(), { code: '57P01' }))),
  );
  t.equal(await openTelemetry.traceBatch(records, async () => 'stored'), 'stored');
  t.equal(await openTelemetry.traceBatch(records, async () => 'again'), 'again');
  await openTelemetry.close();
  await app.close();
  const requests = spans.filter(({ kind }) => kind === server).map(({ traceId, spanId }) => ({ traceId, spanId }));
  const batches = spans.filter(({ name }) => name === 'request_logs batch');
  t.match(batches, [
    { status: { code: 2 }, attributes: { 'error.type': '57P01', 'db.operation.batch.size': 3 } },
    { status: { code: unset } },
  ]);
  for (const { links } of batches) t.strictSame(links, requests);
  t.equal(spans.length, 4);
});
