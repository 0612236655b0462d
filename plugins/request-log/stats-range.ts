export interface StatsRange {
  from: Date;
  /** Exclusive. */
  to: Date;
  /** Seconds, in whole minutes; undefined: a value that suits the axis of a chart. */
  interval?: number | undefined;
  /** The start of the statistics by minute; those by hour and day start earlier. */
  minutesSince: Date;
}

const minuteSeconds = 60;
export const hourSeconds = 3_600;
const daySeconds = 86_400;
/** The periods of the statistics, and the longest range for which each is used. */
const periods = [
  { period: minuteSeconds, maxRangeSeconds: 6 * hourSeconds },
  { period: hourSeconds, maxRangeSeconds: 14 * daySeconds },
  { period: daySeconds, maxRangeSeconds: Number.POSITIVE_INFINITY },
];
/** Intervals that suit the axis of a chart. */
const intervals = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minuteSeconds),
  ...[1, 2, 3, 6, 12].map((hours) => hours * hourSeconds),
  ...[1, 7, 28].map((days) => days * daySeconds),
];
const targetIntervals = 100;

/**
 * Rounds a range to whole intervals, and chooses the period of the statistics to read.
 *
 * @returns the range, and the parameters of the query: the period in seconds, the start and the end as text
 */
export function wholeIntervals(range: StatsRange) {
  const interval = range.interval ?? intervalFor(range);
  const period = [daySeconds, hourSeconds].find((period) => interval % period === 0) ?? minuteSeconds;
  const from = new Date(Math.floor(range.from.getTime() / 1000 / interval) * interval * 1000);
  const to = new Date(Math.ceil(range.to.getTime() / 1000 / interval) * interval * 1000);
  return { from, to, interval, parameters: [period, withoutZone(from), withoutZone(to)] };
}

function intervalFor({ from, to, minutesSince }: StatsRange): number {
  const seconds = (to.getTime() - from.getTime()) / 1000;
  const finest = from < minutesSince ? hourSeconds : minuteSeconds;
  const found = periods.find(({ period, maxRangeSeconds }) => period >= finest && seconds <= maxRangeSeconds);
  const period = found?.period ?? daySeconds;
  const fitting = intervals.filter((interval) => interval % period === 0);
  return fitting.find((interval) => seconds / interval <= targetIntervals) ?? (fitting.at(-1) as number);
}

/** The columns store UTC without a time zone. `pg` would send a Date in local time. */
function withoutZone(time: Date): string {
  return time.toISOString().slice(0, -1);
}
