import type { StorageResults } from './index.js';

const mostMs = { page: 50, stats: 100 };
const mostToDropMs = 1_000;
const leastInsertRatio = 0.8;
/** What the targets are for. */
const manyRows = 20_000_000;

/** In words, and whether it is so; undefined where there were too few rows to tell. */
interface Judgement {
  target: string;
  isMet: boolean | undefined;
}

export function judgeStorage({ rows, answered, dropDayMs, insertRate }: StorageResults): Judgement[] {
  const ratio = insertRate.full / insertRate.empty;
  const slowest = (kind: keyof typeof mostMs) =>
    Math.max(...answered.filter((answer) => answer.kind === kind).map(({ p95 }) => p95));
  const judged = (target: string, isMet: boolean) => ({ target, isMet: rows >= manyRows ? isMet : undefined });
  return [
    judged(`every page within ${ms(slowest('page'))} at p95 (under ${mostMs.page} ms)`, slowest('page') < mostMs.page),
    judged(
      `statistics within ${ms(slowest('stats'))} at p95 (under ${mostMs.stats} ms)`,
      slowest('stats') < mostMs.stats,
    ),
    judged(`a day dropped in ${ms(dropDayMs)} (under ${mostToDropMs} ms)`, dropDayMs < mostToDropMs),
    judged(
      `${ratio.toFixed(2)} of the empty log's insert rate (at least ${leastInsertRatio})`,
      ratio >= leastInsertRatio,
    ),
  ];
}

export function reportStorage(results: StorageResults): string {
  const { musicez, node, database, cpu, rows, gigabytes, fillSeconds, answered, dropDayMs, insertRate } = results;
  const line = (name: string, ...cells: string[]) =>
    `${name.padEnd(34)}${cells.map((cell) => cell.padStart(10)).join('')}`;
  const outcome = { true: 'met', false: 'missed', undefined: 'not judged' };
  return [
    '',
    `musicez ${musicez}, Node.js ${node}, ${database}, ${cpu}`,
    `${count(rows)} rows over 30 days, ${gigabytes.toFixed(1)} GB, filled in ${Math.round(fillSeconds)} s`,
    '',
    line('', 'p50', 'p95'),
    ...answered.map(({ question, p50, p95 }) => line(question, ms(p50), ms(p95))),
    line('dropping a day', ms(dropDayMs)),
    line('rows a second, empty and full', count(insertRate.empty), count(insertRate.full)),
    '',
    ...judgeStorage(results).map(({ target, isMet }) => `${outcome[`${isMet}`].padEnd(12)}${target}`),
    '',
  ].join('\n');
}

function ms(value: number) {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function count(value: number) {
  return Math.round(value).toLocaleString('en-US');
}
