import { cpus } from 'node:os';
import { withCleanup } from '../scripts/cleanup.js';
import { version } from '../src/config/index.js';
import { BenchError } from './bench-error.js';
import { type Contender, startContenders } from './contenders.js';
import { measureLimitCost } from './limit-cost.js';
import { findLoadGenerator } from './load/index.js';
import { Measurement } from './measurement.js';
import type { BenchOptions } from './options.js';
import type { Progress } from './progress.js';
import {
  type BenchResults,
  bareRatios,
  costOf,
  mapServers,
  medianRound,
  ratioOf,
  type ServerName,
  type ServerResult,
} from './results.js';
import { countRows } from './rows.js';
import { nameOfDatabase } from './scratch.js';
import { checkTargets } from './targets.js';

const connections = 32;
const warmUpSeconds = 2;
const maxStepSeconds = 10;

/**
 * Runs the comparison: starts the servers, puts load on them in turn, counts their rows and evaluates the targets. Cleans
 * up also after an error.
 *
 * @param url of the PostgreSQL to use; undefined for the embedded database
 * @throws BenchError when `--check` is set without DATABASE_URL or wrk
 */
export async function run(options: BenchOptions, url: string | undefined, progress: Progress, signal: AbortSignal) {
  const startedAt = new Date().toISOString();
  const generator = await findLoadGenerator(connections);
  if (options.check && (url === undefined || generator.name !== 'wrk')) {
    throw new BenchError('--check requires DATABASE_URL and wrk: the targets are for PostgreSQL with load from wrk');
  }
  const database = await nameOfDatabase(url);

  return withCleanup(async (defer) => {
    const contenders = await startContenders(url, options.against, progress, defer, signal);
    const { all, rowWriter, startToReadyMs } = contenders;
    const measured = mapServers(all, (contender) => new Measurement(contender, generator));
    if (rowWriter && measured.storing)
      measured.storing.duringLoad = (loadEnd) => rowWriter.write(measured.musicez.lastRequestsPerSecond, loadEnd);
    await measureInTurn(Object.values(measured), options, progress, signal);
    if (options.requests > 0) await continueLoad(options.requests, measured.musicez, progress, signal);
    const written = await stopAndCountRows(Object.values(all), progress, signal);
    progress.begin('the cost of limits');
    const limitCost = measureLimitCost();
    progress.end('done');

    const servers = mapServers(measured, (measurement, name) => resultOf(measurement, written.get(name)));
    const { bare, base, straightforward, musicez, traced, authentication, log, limits, storing, against } = servers;
    const [cpu] = cpus();
    const results: Omit<BenchResults, 'targets'> = {
      startedAt,
      musicez: version,
      node: process.versions.node,
      cpu: { model: cpu?.model ?? 'unknown', count: cpus().length },
      database,
      load: {
        generator: generator.name,
        version: generator.version,
        connections,
        secondsPerRound: options.seconds,
      },
      servers,
      against: options.against ?? null,
      ratios: {
        ...bareRatios(musicez, bare),
        toStraightforward: ratioOf(musicez.rounds, straightforward.rounds),
      },
      optionalRatios: {
        ...(storing && { storing: bareRatios(storing, bare) }),
        ...(against && { against: bareRatios(against, bare) }),
      },
      costs: {
        authentication: costOf(authentication.rounds, base.rounds),
        log: costOf(log.rounds, authentication.rounds),
        limits: costOf(limits.rounds, authentication.rounds),
        spans: costOf(traced.rounds, musicez.rounds),
      },
      limitCost,
      startToReadyMs,
    };
    return { ...results, targets: checkTargets(results) } satisfies BenchResults;
  });
}

/**
 * Runs the servers in turn in each round, so that a drift of the machine's speed affects all alike. Every other round is in reverse
 * order, because PostgreSQL still works for the server before.
 */
async function measureInTurn(
  all: Measurement[],
  { rounds, seconds }: BenchOptions,
  progress: Progress,
  signal: AbortSignal,
) {
  let secondsLeft = all.length * (warmUpSeconds + rounds * seconds);
  for (const measurement of all) {
    progress.begin(`warm-up, ${measurement.contender.name}`, secondsLeft);
    progress.end(formatRate(await measurement.drive(warmUpSeconds, signal)));
    secondsLeft -= warmUpSeconds;
  }
  for (let round = 1; round <= rounds; round++) {
    for (const measurement of round % 2 === 1 ? all : all.toReversed()) {
      progress.begin(`round ${round} of ${rounds}, ${measurement.contender.name}`, secondsLeft);
      const result = await measurement.drive(seconds, signal);
      measurement.rounds.push(result);
      progress.end(formatRate(result));
      secondsLeft -= seconds;
    }
  }
}

/** Continues the load until `requests` are answered, because a memory leak shows only after many requests. */
async function continueLoad(requests: number, measurement: Measurement, progress: Progress, signal: AbortSignal) {
  let rate = medianRound(measurement.rounds).requestsPerSecond;
  while (measurement.answered < requests && measurement.failed === 0) {
    const secondsLeft = Math.ceil((requests - measurement.answered) / rate);
    progress.begin(`continuing to ${requests.toLocaleString('en-US')} requests`, secondsLeft);
    const step = await measurement.drive(Math.min(secondsLeft, maxStepSeconds), signal);
    rate = step.requestsPerSecond;
    progress.end(`${measurement.answered.toLocaleString('en-US')}, ${formatRate(step)}`);
  }
}

async function stopAndCountRows(all: readonly Contender[], progress: Progress, signal: AbortSignal) {
  const written = new Map<ServerName, number>();
  progress.begin('stopping the servers and counting rows');
  for (const { name, server, scratch } of all) {
    await server.stop();
    signal.throwIfAborted();
    if (scratch) written.set(name, await countRows(scratch));
  }
  progress.end('done');
  return written;
}

function resultOf(measurement: Measurement, written: number | undefined): ServerResult {
  const { rounds, answered, failed, residentBytes, records } = measurement;
  const rows = written === undefined ? null : { answered, written, dropped: records?.dropped ?? 0 };
  return { median: medianRound(rounds), rounds, answered, failed, residentBytes, rows };
}

function formatRate({ requestsPerSecond }: { requestsPerSecond: number }) {
  return `${Math.round(requestsPerSecond).toLocaleString('en-US')} req/s`;
}
