export interface StatsRange {
  from: Date;
  /** Exclusive. */
  to: Date;
  /** Seconds, in whole minutes; undefined: a value that suits the axis of a chart. */
  interval?: number | undefined;
  /** Whether the range is rounded to minutes only. Otherwise it is rounded to whole intervals. */
  isExact?: boolean | undefined;
  /** The start of the statistics by minute; those by hour and day start earlier. */
  minutesSince: Date;
}

/** A part of a range whose statistics are read by one period. */
export interface Piece {
  /** Seconds. */
  period: number;
  from: Date;
  /** Exclusive. */
  to: Date;
}

const minuteSeconds = 60;
export const hourSeconds = 3_600;
const daySeconds = 86_400;
const dayMs = daySeconds * 1_000;
/** The periods of the statistics, longest first. */
const periods = [daySeconds, hourSeconds, minuteSeconds];
const maxMinutesRangeSeconds = 6 * hourSeconds;
/** The longest range for which each period is used by default. */
const maxRanges = [
  { period: minuteSeconds, seconds: maxMinutesRangeSeconds },
  { period: hourSeconds, seconds: 14 * daySeconds },
  { period: daySeconds, seconds: Number.POSITIVE_INFINITY },
];
const maxExactRanges = [
  { period: minuteSeconds, seconds: 25 * hourSeconds },
  { period: hourSeconds, seconds: 32 * daySeconds },
  { period: daySeconds, seconds: Number.POSITIVE_INFINITY },
];
/** Intervals that suit the axis of a chart. */
const intervals = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minuteSeconds),
  ...[1, 2, 3, 6, 12].map((hours) => hours * hourSeconds),
  ...[1, 7, 28].map((days) => days * daySeconds),
];
const [targetIntervals, exactTargetIntervals] = [100, 150];

export type RoundedRange = ReturnType<typeof roundedRange>;

/**
 * Rounds a range, and chooses the statistics to read.
 *
 * @returns the range, and the pieces to read: `series` for sums by interval, `durations` for sums of histograms by `durationInterval`,
 *   `total` for sums of the whole range
 */
export function roundedRange(range: StatsRange) {
  const interval = range.interval ?? intervalFor(range);
  const rounding = range.isExact ? finestPeriod(range) : interval;
  const from = new Date(Math.floor(range.from.getTime() / 1000 / rounding) * rounding * 1000);
  const to = new Date(Math.ceil(range.to.getTime() / 1000 / rounding) * rounding * 1000);
  // Adding up the histograms of a day by minute takes a second.
  const isLong = to.getTime() - from.getTime() > maxMinutesRangeSeconds * 1000;
  const durationInterval = range.isExact && isLong ? Math.max(interval, hourSeconds) : interval;
  const longest = longestPeriodIn(interval);
  return {
    from,
    to,
    interval,
    durationInterval,
    series: cover(from, to, longest),
    durations: cover(from, to, longestPeriodIn(durationInterval)),
    total: cover(from, to, range.isExact ? daySeconds : longest),
  };
}

/** The start of the statistics by minute, which are kept as long as the rows. @param retentionDays 0: without limit */
export function minutesSince(now: Date, retentionDays: number): Date {
  return new Date(retentionDays === 0 ? 0 : Math.floor(now.getTime() / dayMs - retentionDays) * dayMs);
}

function longestPeriodIn(interval: number): number {
  return periods.find((period) => interval % period === 0) ?? minuteSeconds;
}

/** Divides a range into pieces of the longest periods that fit. */
function cover(from: Date, to: Date, longest: number): Piece[] {
  if (from >= to) return [];
  const shorter = periods.find((period) => period < longest);
  if (shorter === undefined) return [{ period: longest, from, to }];
  const first = new Date(Math.ceil(from.getTime() / 1000 / longest) * longest * 1000);
  const last = new Date(Math.floor(to.getTime() / 1000 / longest) * longest * 1000);
  if (first >= last) return cover(from, to, shorter);
  return [...cover(from, first, shorter), { period: longest, from: first, to: last }, ...cover(last, to, shorter)];
}

function finestPeriod({ from, minutesSince }: StatsRange): number {
  return from < minutesSince ? hourSeconds : minuteSeconds;
}

function intervalFor(range: StatsRange): number {
  const { from, to, isExact } = range;
  const seconds = (to.getTime() - from.getTime()) / 1000;
  const finest = finestPeriod(range);
  const found = (isExact ? maxExactRanges : maxRanges).find(
    (longest) => longest.period >= finest && seconds <= longest.seconds,
  );
  const period = found?.period ?? daySeconds;
  const fitting = intervals.filter((interval) => interval % period === 0);
  const target = isExact ? exactTargetIntervals : targetIntervals;
  return fitting.find((interval) => seconds / interval <= target) ?? (fitting.at(-1) as number);
}
