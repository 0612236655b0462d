import { type Plan, show } from './plan.js';

const titles: Record<keyof Plan, string> = {
  perReplica: 'replica capacity',
  replicas: 'replicas',
  connections: 'max_connections',
  databaseProcessors: 'database server',
  keyProcessors: 'PostgreSQL server',
  clickHouseProcessors: 'ClickHouse server',
  rowsPerDay: 'rows a day',
  partitions: 'partitions',
  logGb: 'request log',
  statsRowsPerDay: 'statistics a day',
  statsGb: 'statistics',
  diskGb: 'database disk',
  processors: 'processors',
  storedGb: 'total disk',
  costPerMonth: 'cost',
};

/** Rows per second that one connection inserts into a large log. @see docs/benchmarks.md#a-large-request-log */
const measuredRowsPerSecond = 69_443;

/** @returns the figures with their formulas as text */
export function report(plan: Plan, peak: number): string {
  const lines = (Object.keys(titles) as (keyof Plan)[]).flatMap((name) => {
    const figure = plan[name];
    if (!figure) return [];
    const { value, unit, formula } = figure;
    return [[titles[name], `${show(value)} ${unit}`.trim(), formula] as const];
  });
  const widths = [0, 1].map((column) => Math.max(...lines.map((line) => line[column as 0 | 1].length)));
  const table = lines.map(([title, value, formula]) =>
    [title.padEnd(widths[0] ?? 0), value.padStart(widths[1] ?? 0), `= ${formula}`].join('  '),
  );
  const warnings =
    peak > measuredRowsPerSecond
      ? [
          `\nThe peak of ${show(peak)} rows/s exceeds the rate measured on one server (${show(measuredRowsPerSecond)} rows/s): see docs/scaling.md.`,
        ]
      : [];
  return [...table, ...warnings, ''].join('\n');
}
