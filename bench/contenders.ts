import { fileURLToPath } from 'node:url';
import { generateKey } from '../plugins/api-keys/key-format.js';
import type { Defer } from '../scripts/cleanup.js';
import { BenchError } from './bench-error.js';
import { startCollector } from './collector.js';
import type { Target } from './load/generator.js';
import type { Progress } from './progress.js';
import type { ServerName, Servers } from './results.js';
import { RowWriter } from './row-writer.js';
import { createScratch, type Scratch } from './scratch.js';
import { ServerProcess } from './server-process.js';
import { service, serviceIn } from './service.js';

/** A running server of the comparison, and its scratch database. */
export interface Contender {
  name: ServerName;
  server: ServerProcess;
  target: Target;
  /** Undefined for servers that write no rows. */
  scratch: Scratch | undefined;
  /** A lower bound of the requests to `/v1/me` with a 200 before the load starts. */
  setupRequestCount: number;
}

export interface Contenders {
  all: Servers<Contender>;
  /** Stores rows while `storing` is measured; undefined without PostgreSQL. */
  rowWriter: RowWriter | undefined;
  /** From starting this service's process to a 200 of `/readyz`. */
  startToReadyMs: number;
}

// Enables optional features that cost time. No load reaches this rate limit.
const optionalFeatures = { CORS_ORIGINS: 'https://app.example.com', RATE_LIMIT_PER_MINUTE: '1000000000' };

const tsx = import.meta.resolve('tsx');
const script = (name: string) => ['--import', tsx, fileURLToPath(new URL(`servers/${name}.ts`, import.meta.url))];
const argsLikeService = (name: string) => [...service.slice(0, -1), ...script(name)];

/**
 * Starts the servers one after the other, so that none slows down the start of another. They run until the end.
 *
 * @param url the PostgreSQL server to create databases on; undefined: embedded databases
 * @param against the directory of another version of this service to measure
 * @throws BenchError when the servers respond differently
 */
export async function startContenders(
  url: string | undefined,
  against: string | undefined,
  progress: Progress,
  defer: Defer,
  signal: AbortSignal,
) {
  const key = generateKey('mez');
  const authorization = `Bearer ${key}`;

  progress.begin('starting musicez');
  const { server: musicez, scratch: serviceScratch, startToReadyMs } = await startService('service');
  const me = await fetchMe(musicez);
  progress.end(`ready after ${startToReadyMs} ms`);

  progress.begin('starting the other servers');
  const traced = await startService('traced', { OTEL_EXPORTER_OTLP_ENDPOINT: await startCollector(defer) });
  const otherVersion = against === undefined ? undefined : await startService('against', {}, serviceIn(against));
  const straightforwardScratch = await createScratch(url, 'straightforward', defer);
  const responseEnv = { BENCH_ME: me, BENCH_KEY: key };
  const straightforward = await start(
    script('straightforward'),
    { ...databaseEnv(straightforwardScratch), ...responseEnv },
    straightforwardScratch.directory,
  );
  await straightforward.waitForOk('/health', signal);
  const bare = await start(script('bare'), responseEnv, straightforwardScratch.directory);
  const base = await start(argsLikeService('bare'), responseEnv, straightforwardScratch.directory);
  for (const server of [bare, base]) await server.waitForOk('/v1/me', signal);
  const authentication = await startParts('authentication');
  const limits = await startParts('limits');
  const log = await startParts('log');
  const rowWriter =
    url === undefined ? undefined : await RowWriter.open(await createScratch(url, 'rows', defer), defer);
  // Not compared with the others: they have databases of their own, so the id of the key in their answers differs.
  await fetchMe(traced.server);
  if (otherVersion) await fetchMe(otherVersion.server);
  for (const server of [straightforward, bare, base, authentication.server, limits.server, log.server]) {
    const answer = await fetchMe(server);
    if (answer !== me) throw new BenchError(`the servers respond differently: ${answer} is not ${me}`);
  }
  progress.end('all respond the same');

  const contender = (name: ServerName, server: ServerProcess, scratch?: Scratch): Contender => {
    const target = { url: `${server.origin}/v1/me`, authorization };
    return { name, server, target, scratch, setupRequestCount: 1 };
  };
  const all = {
    straightforward: contender('straightforward', straightforward, straightforwardScratch),
    bare: contender('bare', bare),
    ...(rowWriter && { storing: contender('storing', bare) }),
    ...(otherVersion && { against: contender('against', otherVersion.server, otherVersion.scratch) }),
    base: contender('base', base),
    musicez: contender('musicez', musicez, serviceScratch),
    traced: contender('traced', traced.server, traced.scratch),
    authentication: contender('authentication', authentication.server),
    limits: contender('limits', limits.server),
    log: contender('log', log.server, log.scratch),
  };
  return { all, rowWriter, startToReadyMs } satisfies Contenders;

  async function startService(name: string, variables: NodeJS.ProcessEnv = {}, args = service) {
    const scratch = await createScratch(url, name, defer);
    const env = { ...databaseEnv(scratch), ...optionalFeatures, BOOTSTRAP_ADMIN_KEY: key, ...variables };
    const startedAt = performance.now();
    const server = await start(args, env, scratch.directory);
    await server.waitForOk('/readyz', signal);
    return { server, scratch, startToReadyMs: Math.round(performance.now() - startedAt) };
  }

  async function startParts(part: ServerName) {
    const scratch = await createScratch(url, part, defer);
    const env = { ...responseEnv, BENCH_PARTS: part, BOOTSTRAP_ADMIN_KEY: key };
    const server = await start(argsLikeService('parts'), { ...databaseEnv(scratch), ...env }, scratch.directory);
    await server.waitForOk('/v1/me', signal, { authorization });
    return { server, scratch };
  }

  async function start(args: readonly string[], env: NodeJS.ProcessEnv, directory: string) {
    const server = await ServerProcess.start(args, env, directory);
    defer(() => server.stop());
    return server;
  }

  async function fetchMe(server: ServerProcess) {
    const response = await server.get('/v1/me', signal, { authorization });
    const body = await response.text();
    if (response.status !== 200) throw new BenchError(`/v1/me answered ${response.status}: ${body}`);
    return body;
  }
}

function databaseEnv({ url, directory }: Scratch): NodeJS.ProcessEnv {
  return { DATABASE_URL: url, DATA_DIR: directory };
}
