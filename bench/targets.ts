import type { BenchResults, ServerResult } from './results.js';

/** A target and how the run came out against it. */
export interface Judgement {
  /** In words, with its figures. */
  target: string;
  /** `not judged`: it is meant for PostgreSQL, or for wrk, and this run had another. */
  outcome: 'met' | 'missed' | 'not judged';
  /** Whether missing it always makes the run a failure; else `--check` does. */
  required: boolean;
}

export const leastOfBare = 0.45;
export const leastTimesStraightforward = 20;
/** Beyond bare Fastify, in microseconds of CPU a request. */
export const mostForAuthentication = 3;
export const mostResidentBytes = 250e6;
const manyRequests = 1_000_000;

/** What this service is to reach, each with how this run came out. */
export function judge(results: Omit<BenchResults, 'targets'>): Judgement[] {
  const { servers, ratios, costs, startToReadyMs, load } = results;
  const { musicez } = servers;
  const onPostgres = results.database !== 'embedded database';
  const comparable = onPostgres && load.generator === 'wrk';
  const startLimitMs = onPostgres ? 2_000 : 8_000;
  const { toBare, toStraightforward } = ratios;
  const megabytes = Math.round(musicez.residentBytes / 1e6);
  const enough = musicez.answered >= manyRequests ? '' : `, the target is for ${figure(manyRequests)}: see --requests`;

  return [
    ...Object.entries(servers).flatMap(([name, server]) => allAnswered(name, server)),
    ...Object.entries(servers).flatMap(([name, server]) => everyRow(name, server)),
    wanted(
      `${toBare.median.toFixed(2)} of bare Fastify (at least ${leastOfBare})`,
      toBare.median >= leastOfBare,
      comparable,
    ),
    wanted(
      `${toStraightforward.median.toFixed(1)} times the straightforward version (at least ${leastTimesStraightforward})`,
      toStraightforward.median >= leastTimesStraightforward,
      comparable,
    ),
    wanted(
      `${costs.authentication.median.toFixed(1)} µs of CPU a request for authentication (under ${mostForAuthentication})`,
      costs.authentication.median < mostForAuthentication,
      comparable,
    ),
    wanted(
      `${megabytes} MB resident at most (under ${mostResidentBytes / 1e6}) through ${figure(musicez.answered)} requests${enough}`,
      musicez.residentBytes < mostResidentBytes,
      onPostgres,
    ),
    wanted(
      `ready ${figure(startToReadyMs)} ms after the start on an empty database (under ${figure(startLimitMs)})`,
      startToReadyMs < startLimitMs,
    ),
  ];
}

function allAnswered(name: string, { failed }: ServerResult): Judgement[] {
  if (failed === 0) return [];
  const target = `${name}: ${figure(failed)} requests without a 2xx answer`;
  return [{ target, outcome: 'missed', required: true }];
}

function everyRow(name: string, { rows }: ServerResult): Judgement[] {
  if (!rows) return [];
  const { answered, written, dropped } = rows;
  const complete = written >= answered && dropped === 0;
  const target = `${name}: ${figure(written)} rows for ${figure(answered)} answers, ${figure(dropped)} dropped`;
  return [{ target, outcome: complete ? 'met' : 'missed', required: true }];
}

function wanted(target: string, isMet: boolean, isJudged = true): Judgement {
  return { target, outcome: isJudged ? (isMet ? 'met' : 'missed') : 'not judged', required: false };
}

function figure(value: number) {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
