import type { Stats } from '../../routes/request-stats.js';
import type { Wire } from '../api.js';

/** The classes of statuses, and the custom properties of their colors. */
export const statusClasses = {
  '2xx': '--accent',
  '3xx': '--line-strong',
  '4xx': '--warn',
  '5xx': '--bad',
} as const;
export type StatusClass = keyof typeof statusClasses;

/** Statistics for charts: a value for each interval, also for those without requests. */
export interface Series {
  /** The start of each interval, in seconds since 1970. */
  moments: number[];
  /** The length of the intervals, and the ends of the range: the first and the last interval can be incomplete. Seconds. */
  interval: number;
  from: number;
  to: number;
  /** Requests a second. */
  rate: number[];
  rateByClass: Record<StatusClass, number[]>;
  /** 0 to 1; null without requests. */
  share4xx: (number | null)[];
  share5xx: (number | null)[];
  /** Percentiles of durations in milliseconds, which can have longer intervals. */
  durations: {
    moments: number[];
    interval: number;
    p50: (number | null)[];
    p95: (number | null)[];
    p99: (number | null)[];
  };
}

/** An interval of which less is in the range is not drawn: its rate would be a guess. */
const minCoveredSeconds = 5;

/** @param now the present, in milliseconds since 1970: a range that has not ended is drawn until then */
export function seriesOf({ from, to, interval, series, durations }: Wire<Stats>, now: number): Series {
  const known = new Map(series.map((figures) => [Date.parse(figures.start) / 1_000, figures]));
  const [first, last] = [Date.parse(from) / 1_000, Math.min(Date.parse(to), now) / 1_000];
  const result: Series = {
    moments: [],
    interval,
    from: first,
    to: last,
    rate: [],
    rateByClass: { '2xx': [], '3xx': [], '4xx': [], '5xx': [] },
    share4xx: [],
    share5xx: [],
    durations: durationsOf(durations, first, last),
  };
  for (const start of startsOf(interval, first, last)) {
    const covered = Math.min(start + interval, last) - Math.max(start, first);
    const { count = 0, statusClasses: classes = {} } = known.get(start) ?? {};
    const of = (name: StatusClass) => classes[name] ?? 0;
    result.moments.push(start);
    result.rate.push(count / covered);
    // Requests for an upgrade are answered with 101.
    for (const name of Object.keys(statusClasses) as StatusClass[])
      result.rateByClass[name].push((of(name) + (name === '3xx' ? (classes['1xx'] ?? 0) : 0)) / covered);
    result.share4xx.push(count === 0 ? null : of('4xx') / count);
    result.share5xx.push(count === 0 ? null : of('5xx') / count);
  }
  return result;
}

function durationsOf({ interval, series }: Wire<Stats>['durations'], first: number, last: number): Series['durations'] {
  const known = new Map(series.map((percentiles) => [Date.parse(percentiles.start) / 1_000, percentiles]));
  const moments = startsOf(interval, first, last);
  const values = (name: 'p50' | 'p95' | 'p99') => moments.map((start) => known.get(start)?.[name] ?? null);
  return { moments, interval, p50: values('p50'), p95: values('p95'), p99: values('p99') };
}

/** The starts of the intervals of a range, in seconds since 1970. */
function startsOf(interval: number, first: number, last: number): number[] {
  const starts: number[] = [];
  for (let start = Math.floor(first / interval) * interval; start < last; start += interval) {
    if (starts.length > 0 && last - start < Math.min(minCoveredSeconds, interval)) break;
    starts.push(start);
  }
  return starts;
}

/**
 * The values of an earlier period at the times of this one.
 *
 * @param earlier the starts of its intervals and its values
 * @param shiftSeconds how much earlier it is
 */
export function alignedTo<T>(
  moments: number[],
  earlier: { moments: number[]; interval: number; values: T[] },
  shiftSeconds: number,
): (T | null)[] {
  const first = earlier.moments[0] ?? 0;
  return moments.map(
    (moment) => earlier.values[Math.floor((moment - shiftSeconds - first) / earlier.interval)] ?? null,
  );
}
