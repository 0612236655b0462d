export interface StatsRange {
  from: Date;
  /** Does not count itself. */
  to: Date;
  /** Seconds, in whole minutes; if not given, what people would read off an axis. */
  interval?: number | undefined;
  /** From when on there are statistics by the minute; those by hour and day go further back. */
  minutesSince: Date;
}

const minute = 60;
export const hour = 3_600;
const day = 86_400;
/** What statistics there are by, and up to what length of time they answer quickly by themselves. */
const periods = [
  { period: minute, enough: 6 * hour },
  { period: hour, enough: 14 * day },
  { period: day, enough: Number.POSITIVE_INFINITY },
];
/** What people read off an axis. */
const intervals = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minute),
  ...[1, 2, 3, 6, 12].map((hours) => hours * hour),
  ...[1, 7, 28].map((days) => days * day),
];
const intervalsWanted = 100;

/**
 * The range in whole intervals, and which of the statistics tell of it.
 *
 * @returns with it the parameters of a query: the period in seconds, the beginning and the end as text
 */
export function wholeIntervals(range: StatsRange) {
  const interval = range.interval ?? intervalFor(range);
  const period = [day, hour].find((period) => interval % period === 0) ?? minute;
  const from = new Date(Math.floor(range.from.getTime() / 1000 / interval) * interval * 1000);
  const to = new Date(Math.ceil(range.to.getTime() / 1000 / interval) * interval * 1000);
  return { from, to, interval, parameters: [period, withoutZone(from), withoutZone(to)] };
}

function intervalFor({ from, to, minutesSince }: StatsRange): number {
  const seconds = (to.getTime() - from.getTime()) / 1000;
  const finest = from < minutesSince ? hour : minute;
  const period = periods.find(({ period, enough }) => period >= finest && seconds <= enough)?.period ?? day;
  const fitting = intervals.filter((interval) => interval % period === 0);
  return fitting.find((interval) => seconds / interval <= intervalsWanted) ?? (fitting.at(-1) as number);
}

/** The columns are in UTC without saying so, where `pg` would write local time. */
function withoutZone(time: Date): string {
  return time.toISOString().slice(0, -1);
}
