import type { Stats } from '../../routes/request-stats.js';
import type { Wire } from '../api.js';

/** Statistics for charts: a value for each interval, also for those without requests. */
export interface Series {
  /** The start of each interval, in seconds since 1970. */
  moments: number[];
  /** Requests a second. */
  rate: number[];
  /** 0 to 1; null without requests. */
  errorShare: (number | null)[];
  p50: (number | null)[];
  p95: (number | null)[];
  p99: (number | null)[];
}

/** An interval that has just begun is not drawn. */
const minShare = 0.25;

/** @param requestedAt milliseconds since 1970; the last interval has requests up to this time */
export function seriesOf({ from, to, interval, series }: Wire<Stats>, requestedAt: number): Series {
  const step = interval * 1000;
  const known = new Map(series.map((figures) => [Date.parse(figures.start), figures]));
  const result: Series = { moments: [], rate: [], errorShare: [], p50: [], p95: [], p99: [] };
  for (let start = Date.parse(from); start < Date.parse(to); start += step) {
    const length = Math.min(step, requestedAt - start);
    if (length < step * minShare && result.moments.length > 0) break;
    const { count = 0, errors = 0, p50 = null, p95 = null, p99 = null } = known.get(start) ?? {};
    result.moments.push(start / 1000);
    result.rate.push(count / (length / 1000));
    result.errorShare.push(count === 0 ? null : errors / count);
    result.p50.push(p50);
    result.p95.push(p95);
    result.p99.push(p99);
  }
  return result;
}
