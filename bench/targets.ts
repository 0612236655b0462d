import type { BenchResults, ServerResult } from './results.js';
import type { TargetResult } from './target-result.js';

export const minShareOfBare = 0.55;
/** The 99th percentile, compared with that of bare Fastify. */
export const maxTimesBareP99 = 2;
export const minTimesStraightforward = 20;
/** The additional CPU of authentication for each request. */
export const maxAuthenticationMicroseconds = 3;
export const maxResidentBytes = 250e6;
/** The additional CPU of two limits for each request. */
export const maxTwoLimitsMicroseconds = 3;
const manyRequests = 1_000_000;

/** The targets of this service, and whether this run met them. */
export function checkTargets(results: Omit<BenchResults, 'targets'>): TargetResult[] {
  const { servers, ratios, costs, limitCost, startToReadyMs, load } = results;
  const { musicez } = servers;
  const isPostgres = results.database !== 'embedded database';
  const isComparable = isPostgres && load.generator === 'wrk';
  const startLimitMs = isPostgres ? 2_000 : 8_000;
  const { toBare, p99ToBare, toStraightforward } = ratios;
  const megabytes = Math.round(musicez.residentBytes / 1e6);
  const { storing } = results.optionalRatios;
  const storingNote = storing ? `; bare Fastify while rows are stored: ${storing.p99ToBare.median.toFixed(1)}` : '';
  const requestCountNote =
    musicez.answered >= manyRequests ? '' : `, the target is for ${figure(manyRequests)}: see --requests`;

  return [
    ...Object.entries(servers).flatMap(([name, server]) => failedRequests(name, server)),
    ...Object.entries(servers).flatMap(([name, server]) => rowsComplete(name, server)),
    targetResult(
      `${toBare.median.toFixed(2)} of bare Fastify (at least ${minShareOfBare})`,
      toBare.median >= minShareOfBare,
      isComparable,
    ),
    targetResult(
      `99th percentile ${p99ToBare.median.toFixed(1)} times that of bare Fastify (at most ${maxTimesBareP99})${storingNote}`,
      p99ToBare.median <= maxTimesBareP99,
      isComparable,
    ),
    targetResult(
      `${toStraightforward.median.toFixed(1)} times the straightforward version (at least ${minTimesStraightforward})`,
      toStraightforward.median >= minTimesStraightforward,
      isComparable,
    ),
    targetResult(
      `${costs.authentication.median.toFixed(1)} µs of CPU a request for authentication (under ${maxAuthenticationMicroseconds})`,
      costs.authentication.median < maxAuthenticationMicroseconds,
      isComparable,
    ),
    targetResult(
      `${limitCost.two.toFixed(1)} µs of CPU a request for two limits of a key (at most ${maxTwoLimitsMicroseconds})`,
      limitCost.two <= maxTwoLimitsMicroseconds,
    ),
    targetResult(
      `${megabytes} MB resident at most (under ${maxResidentBytes / 1e6}) through ${figure(musicez.answered)} requests${requestCountNote}`,
      musicez.residentBytes < maxResidentBytes,
      isPostgres,
    ),
    targetResult(
      `ready ${figure(startToReadyMs)} ms after the start on an empty database (under ${figure(startLimitMs)})`,
      startToReadyMs < startLimitMs,
    ),
  ];
}

function failedRequests(name: string, { failed }: ServerResult): TargetResult[] {
  if (failed === 0) return [];
  const target = `${name}: ${figure(failed)} requests without a 2xx response`;
  return [{ target, outcome: 'missed', isRequired: true }];
}

function rowsComplete(name: string, { rows }: ServerResult): TargetResult[] {
  if (!rows) return [];
  const { answered, written, dropped } = rows;
  const isComplete = written >= answered && dropped === 0;
  const target = `${name}: ${figure(written)} rows for ${figure(answered)} answers, ${figure(dropped)} dropped`;
  return [{ target, outcome: isComplete ? 'met' : 'missed', isRequired: true }];
}

function targetResult(target: string, isMet: boolean, isChecked = true): TargetResult {
  return { target, outcome: isChecked ? (isMet ? 'met' : 'missed') : 'not checked', isRequired: false };
}

function figure(value: number) {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
