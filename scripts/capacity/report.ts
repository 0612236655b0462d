import { type Plan, show } from './plan.js';

const titles: Record<keyof Plan, string> = {
  perReplica: 'replica capacity',
  replicas: 'replicas',
  connections: 'max_connections',
  databaseProcessors: 'database server',
  rowsADay: 'rows a day',
  partitions: 'partitions',
  logGb: 'request log',
  statsRowsADay: 'statistics a day',
  statsGb: 'statistics',
  diskGb: 'database disk',
  processors: 'processors',
  storedGb: 'total disk',
  costAMonth: 'cost',
};

/** The highest rate of rows that was measured on one PostgreSQL over a whole benchmark. */
const measuredRowsPerSecond = 44_880;

/** @returns the figures with their formulas as text */
export function report(plan: Plan, peak: number): string {
  const lines = (Object.keys(titles) as (keyof Plan)[]).map((name) => {
    const { value, unit, formula } = plan[name];
    return [titles[name], `${show(value)} ${unit}`.trim(), formula] as const;
  });
  const widths = [0, 1].map((column) => Math.max(...lines.map((line) => line[column as 0 | 1].length)));
  const table = lines.map(([title, value, formula]) =>
    [title.padEnd(widths[0] ?? 0), value.padStart(widths[1] ?? 0), `= ${formula}`].join('  '),
  );
  const caveats =
    peak > measuredRowsPerSecond
      ? [`\nBeyond what was measured on one PostgreSQL (${show(measuredRowsPerSecond)} rows/s): see docs/scaling.md.`]
      : [];
  return [...table, ...caveats, ''].join('\n');
}
