import { formatMs } from '../queries.js';
import type { ClickHouseResults } from './clickhouse.js';
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

/** The same for ClickHouse. */
const maxClickHouse = { ms: 100, bytesPerRow: 40 };

export function storageTargets(results: StorageResults): TargetResult[] {
  const { rows, answered, dropDayMs, insertRate, indexBuild, clickHouse } = results;
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
    ...(clickHouse ? clickHouseTargets(clickHouse) : []),
  ];

  function clickHouseTargets({ answered, bytesPerRow, insertRate: rate }: ClickHouseResults) {
    const slowest = Math.max(...answered.filter(({ kind }) => kind !== 'search').map(({ p95 }) => p95));
    return [
      target(
        `ClickHouse: every page and statistics within ${formatMs(slowest)} at p95 (under ${maxClickHouse.ms} ms)`,
        slowest < maxClickHouse.ms,
      ),
      target(
        `ClickHouse: ${bytesPerRow.toFixed(1)} bytes a row (at most ${maxClickHouse.bytesPerRow})`,
        bytesPerRow <= maxClickHouse.bytesPerRow,
      ),
      target(
        `ClickHouse: ${(rate / insertRate.full).toFixed(2)} of PostgreSQL's insert rate (at least 1)`,
        rate >= insertRate.full,
      ),
    ];
  }
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
    ...(results.clickHouse ? clickHouseLines(results, results.clickHouse) : []),
    '',
    ...storageTargets(results).map(({ target, isMet }) => `${outcome[`${isMet}`].padEnd(12)}${target}`),
    '',
  ].join('\n');
}

function clickHouseLines({ answered }: StorageResults, clickHouse: ClickHouseResults): string[] {
  const { version, bytesPerRow, gigabytes, fillSeconds, insertRate, large } = clickHouse;
  const line = (name: string, ...cells: string[]) =>
    `${name.padEnd(34)}${cells.map((cell) => cell.padStart(12)).join('')}`;
  return [
    '',
    `ClickHouse ${version} as a library, the same rows: ${gigabytes.toFixed(2)} GB, ${bytesPerRow.toFixed(1)} bytes a row, copied in ${Math.round(fillSeconds)} s`,
    '',
    line('p95', 'PostgreSQL', 'ClickHouse'),
    ...clickHouse.answered.map(({ question, p95 }, i) =>
      line(question, formatMs(answered[i]?.p95 ?? 0), formatMs(p95)),
    ),
    line('rows a second', '', count(insertRate)),
    ...(large
      ? [
          '',
          `ClickHouse with ${count(large.rows)} rows: ${large.gigabytes.toFixed(2)} GB, ${large.bytesPerRow.toFixed(1)} bytes a row`,
          '',
          line('', 'p50', 'p95'),
          ...large.answered.map(({ question, p50, p95 }) => line(question, formatMs(p50), formatMs(p95))),
        ]
      : []),
  ];
}

function count(value: number) {
  return Math.round(value).toLocaleString('en-US');
}
