import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { freePort, untilStatus } from '../process.js';
import { temporaryDirectory } from '../temporary-directory.js';

skipFileOnEmbedded();

const app = await startApp(await createTestDatabase());

/** Returns the value of each series of a scrape. */
async function scrape(): Promise<Map<string, number>> {
  const { body } = await app.inject('/metrics');
  const lines = body.split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

t.test('a request is measured by method, status and route, and an unknown path without a route', async (t) => {
  const before = await scrape();
  const { id, key } = await app.apiKeys.create({ name: 'admin', scopes: ['admin'] });
  await app.inject({ url: `/v1/api-keys/${id}?force=false`, headers: { 'x-api-key': key } });
  for (const path of ['/a', '/b', '/c?d']) await app.inject(path);
  const after = await scrape();
  const count = (method: string, status: number, route: string) => {
    const name = `http_server_request_duration_seconds_count{http_request_method="${method}",url_scheme="http",http_response_status_code="${status}",http_route="${route}",error_type=""}`;
    return (after.get(name) ?? 0) - (before.get(name) ?? 0);
  };
  t.equal(count('GET', 200, '/v1/api-keys/:id'), 1);
  t.equal(count('GET', 404, ''), 3);
  t.notOk(
    [...after.keys()].some((name) => name.includes('http_route="/metrics"')),
    'scrapes are not measured',
  );
});

t.test('key verifications are counted by outcome, and as cache hits or lookups', async (t) => {
  const before = await scrape();
  const send = (headers: Record<string, string>) => app.inject({ url: '/v1/me', headers });
  const { id, key } = await app.apiKeys.create({ name: 'counted', rateLimitPerMinute: 2 });
  for (let i = 0; i < 3; i++) await send({ 'x-api-key': key });
  await app.apiKeys.update(id, { active: false });
  await send({ 'x-api-key': key });
  await send({ 'x-api-key': generateKey('mez') });
  await send({});
  const after = await scrape();
  const increaseOf = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  const outcome = (name: string) => increaseOf(`musicez_key_verifications_total{outcome="${name}"}`);
  t.strictSame(
    ['valid', 'rate_limited', 'disabled', 'not_found', 'missing', 'expired'].map(outcome),
    [2, 1, 1, 1, 1, 0],
  );
  t.equal(increaseOf('musicez_key_cache_hits_total') + increaseOf('musicez_key_cache_lookups_total'), 5);
  t.ok(after.has('musicez_key_cache_entries'));
});

t.test('at every scrape, accepted records equal written, dropped, buffered and spooled ones', async (t) => {
  for (let i = 0; i < 50; i++) {
    await Promise.all(Array.from({ length: i }, () => app.inject('/')));
    const scraped = await scrape();
    const fate = (name: string) => scraped.get(`musicez_request_log_records_total{fate="${name}"}`) ?? Number.NaN;
    const gauge = (name: string) => scraped.get(`musicez_request_log_${name}_records`) ?? Number.NaN;
    const kept = gauge('buffered') + gauge('spooled');
    if (fate('accepted') !== fate('written') + fate('dropped') + kept) t.fail(`scrape ${i}`);
  }
  await app.requestLog.flush();
  t.ok(((await scrape()).get('musicez_request_log_flush_duration_seconds_count') ?? 0) > 0);
});

t.test('promtool reports no problem with the metrics', { skip: unlessInstalled('promtool') }, async (t) => {
  const { body, headers } = await app.inject('/metrics');
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const output = execFileSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
  t.equal(output, '');
});

t.test(
  'a Prometheus that scrapes under load gets the same total as the request log',
  { skip: unlessInstalled('prometheus') },
  async (t) => {
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    const query = await startPrometheus(t, port);
    const { key } = await app.apiKeys.create({ name: 'load' });
    const load = async () => {
      for (let i = 0; i < 100; i++)
        await (await fetch(`http://127.0.0.1:${port}/v1/me`, { headers: { 'x-api-key': key } })).text();
    };
    await Promise.all(Array.from({ length: 5 }, load));
    await app.requestLog.flush();
    const rows = await app.prisma.requestLog.count({ where: { path: '/v1/me', method: 'GET', statusCode: 200 } });
    const total = `http_server_request_duration_seconds_count{http_route="/v1/me",http_response_status_code="200"}`;
    let scraped = 0;
    while (scraped < rows) scraped = await query(total);
    t.equal(scraped, rows);
    t.ok(rows >= 500);
    t.equal(await query('up'), 1);
  },
);

/** Starts Prometheus. @returns a function that queries the value of a series, or 0 if it has none */
async function startPrometheus(t: Test, target: number) {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const config = {
    global: { scrape_interval: '200ms' },
    scrape_configs: [{ job_name: 'musicez', static_configs: [{ targets: [`127.0.0.1:${target}`] }] }],
  };
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(config));
  const args = [
    `--config.file=${directory}/prometheus.yml`,
    `--storage.tsdb.path=${directory}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = spawn('prometheus', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await untilStatus(`http://127.0.0.1:${port}/-/ready`, 200);
  return async (series: string): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(series)}`);
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    return Number(data.result[0]?.value[1] ?? 0);
  };
}

/** In CI a missing program is a failure. */
function unlessInstalled(program: string) {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return !process.env.CI && `needs ${program}`;
  }
}
