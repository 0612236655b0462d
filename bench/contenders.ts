import { fileURLToPath } from 'node:url';
import { generateKey } from '../plugins/api-keys/key-format.js';
import { BenchError } from './bench-error.js';
import type { Defer } from './defer.js';
import type { Target } from './load/index.js';
import type { Progress } from './progress.js';
import type { ServerName } from './results.js';
import { createScratch, type Scratch } from './scratch.js';
import { ServerProcess } from './server-process.js';
import { service } from './service.js';

/** A server that is up and answers, and what is known about where it writes. */
export interface Contender {
  name: ServerName;
  server: ServerProcess;
  target: Target;
  /** Undefined for the one that writes nothing. */
  scratch: Scratch | undefined;
  /** Requests for `/v1/me` that it has answered before the load. */
  askedBefore: number;
}

export interface Contenders {
  all: Record<ServerName, Contender>;
  /** From starting this service's process to a 200 of `/readyz`. */
  startToReadyMs: number;
}

// What costs something and is off by default is on; the limit is one that no load reaches.
const everythingOn = { CORS_ORIGINS: 'https://app.example.com', RATE_LIMIT_PER_MINUTE: '1000000000' };

const tsx = import.meta.resolve('tsx');
const script = (name: string) => ['--import', tsx, fileURLToPath(new URL(`servers/${name}.ts`, import.meta.url))];
const alike = (name: string) => [...service.slice(0, -1), ...script(name)];

/**
 * Starts them, one after the other, so that none slows another's start. They stay until the end.
 *
 * @param url of the PostgreSQL beside whose database theirs are made; undefined for embedded ones
 * @throws when they do not answer the same
 */
export async function startContenders(url: string | undefined, progress: Progress, defer: Defer, signal: AbortSignal) {
  const key = generateKey('mez');
  const authorization = `Bearer ${key}`;

  progress.begin('musicez starts');
  const own = await createScratch(url, 'service', defer);
  const startedAt = performance.now();
  const musicez = await start(service, { ...at(own), ...everythingOn, BOOTSTRAP_ADMIN_KEY: key }, own.directory);
  await musicez.answers('/readyz', signal);
  const startToReadyMs = Math.round(performance.now() - startedAt);
  const me = await ask(musicez);
  progress.end(`ready after ${startToReadyMs} ms`);

  progress.begin('the others start');
  const theirs = await createScratch(url, 'straightforward', defer);
  const known = { BENCH_ME: me, BENCH_KEY: key };
  const straightforward = await start(script('straightforward'), { ...at(theirs), ...known }, theirs.directory);
  await straightforward.answers('/health', signal);
  const bare = await start(script('bare'), known, theirs.directory);
  const base = await start(alike('bare'), known, theirs.directory);
  for (const server of [bare, base]) await server.answers('/v1/me', signal);
  const authentication = await startParts('authentication');
  const limits = await startParts('limits');
  const log = await startParts('log');
  for (const other of [straightforward, bare, base, authentication.server, limits.server, log.server]) {
    const answer = await ask(other);
    if (answer !== me) throw new BenchError(`the servers do not answer the same: ${answer} is not ${me}`);
  }
  progress.end('they answer the same');

  const contender = (name: ServerName, server: ServerProcess, scratch?: Scratch): Contender => {
    const target = { url: `${server.origin}/v1/me`, authorization };
    return { name, server, target, scratch, askedBefore: 1 };
  };
  const all = {
    straightforward: contender('straightforward', straightforward, theirs),
    bare: contender('bare', bare),
    base: contender('base', base),
    musicez: contender('musicez', musicez, own),
    authentication: contender('authentication', authentication.server),
    limits: contender('limits', limits.server),
    log: contender('log', log.server, log.scratch),
  };
  return { all, startToReadyMs } satisfies Contenders;

  async function startParts(part: ServerName) {
    const scratch = await createScratch(url, part, defer);
    const env = { ...known, BENCH_PARTS: part, BOOTSTRAP_ADMIN_KEY: key };
    const server = await start(alike('parts'), { ...at(scratch), ...env }, scratch.directory);
    await server.answers('/v1/me', signal, { authorization });
    return { server, scratch };
  }

  async function start(args: readonly string[], env: NodeJS.ProcessEnv, directory: string) {
    const server = await ServerProcess.start(args, env, directory);
    defer(() => server.stop());
    return server;
  }

  async function ask(server: ServerProcess) {
    const response = await server.get('/v1/me', signal, { authorization });
    const body = await response.text();
    if (response.status !== 200) throw new BenchError(`/v1/me answered ${response.status}: ${body}`);
    return body;
  }
}

function at({ url, directory }: Scratch): NodeJS.ProcessEnv {
  return { DATABASE_URL: url, DATA_DIR: directory };
}
