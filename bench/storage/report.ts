import { formatMs } from '../queries.js';
import type { StorageResults } from './index.js';

const maxMs = { page: 50, search: 100, stats: 100 };
const maxDropMs = 1_000;
const minInsertRatio = 0.8;
/** A slower batch would fill the buffer of a busy replica. */
const maxBatchMs = 2_000;
/** The number of rows that the targets are for. */
const manyRows = 20_000_000;

/** A target in words, and whether the run met it; undefined with too few rows. */
interface TargetResult {
  target: string;
  isMet: boolean | undefined;
}

export function storageTargets({ rows, answered, dropDayMs, insertRate, indexBuild }: StorageResults): TargetResult[] {
  const ratio = insertRate.full / insertRate.empty;
  const slowest = (kind: keyof typeof maxMs) =>
    Math.max(...answered.filter((answer) => answer.kind === kind).map(({ p95 }) => p95));
  const target = (target: string, isMet: boolean) => ({ target, isMet: rows >= manyRows ? isMet : undefined });
  return [
    target(
      `every page within ${formatMs(slowest('page'))} at p95 (under ${maxMs.page} ms)`,
      slowest('page') < maxMs.page,
    ),
    target(
      `every search within ${formatMs(slowest('search'))} at p95 (under ${maxMs.search} ms)`,
      slowest('search') < maxMs.search,
    ),
    target(
      `statistics within ${formatMs(slowest('stats'))} at p95 (under ${maxMs.stats} ms)`,
      slowest('stats') < maxMs.stats,
    ),
    target(`a day dropped in ${formatMs(dropDayMs)} (under ${maxDropMs} ms)`, dropDayMs < maxDropMs),
    target(`${ratio.toFixed(2)} of the empty log's insert rate (at least ${minInsertRatio})`, ratio >= minInsertRatio),
    target(
      `no batch waited longer than ${formatMs(indexBuild.longestBatchMs)} while an index was built (under ${maxBatchMs} ms)`,
      indexBuild.longestBatchMs < maxBatchMs,
    ),
  ];
}

export function reportStorage(results: StorageResults): string {
  const { musicez, node, database, cpu, rows, gigabytes, fillSeconds, answered, dropDayMs, insertRate, indexBuild } =
    results;
  const line = (name: string, ...cells: string[]) =>
    `${name.padEnd(34)}${cells.map((cell) => cell.padStart(10)).join('')}`;
  const outcome = { true: 'met', false: 'missed', undefined: 'not checked' };
  return [
    '',
    `musicez ${musicez}, Node.js ${node}, ${database}, ${cpu}`,
    `${count(rows)} rows over 30 days, ${gigabytes.toFixed(1)} GB, filled in ${Math.round(fillSeconds)} s`,
    '',
    line('', 'p50', 'p95'),
    ...answered.map(({ question, p50, p95 }) => line(question, formatMs(p50), formatMs(p95))),
    line('dropping a day', formatMs(dropDayMs)),
    line(`an index, built in ${indexBuild.seconds.toFixed(1)} s`),
    line('  rows a second meanwhile', count(indexBuild.insertRate)),
    line('rows a second, empty and full', count(insertRate.empty), count(insertRate.full)),
    '',
    ...storageTargets(results).map(({ target, isMet }) => `${outcome[`${isMet}`].padEnd(12)}${target}`),
    '',
  ].join('\n');
}

function count(value: number) {
  return Math.round(value).toLocaleString('en-US');
}
