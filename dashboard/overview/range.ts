const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** The ranges of time, and the interval of their updates. */
export const ranges = {
  '15m': { title: '15 min', words: '15 minutes', lengthMs: 15 * minuteMs, refreshMs: 5_000 },
  '1h': { title: '1 h', words: 'hour', lengthMs: hourMs, refreshMs: 5_000 },
  '6h': { title: '6 h', words: '6 hours', lengthMs: 6 * hourMs, refreshMs: 15_000 },
  '24h': { title: '24 h', words: '24 hours', lengthMs: dayMs, refreshMs: 30_000 },
  '7d': { title: '7 d', words: '7 days', lengthMs: 7 * dayMs, refreshMs: 60_000 },
  '30d': { title: '30 d', words: '30 days', lengthMs: 30 * dayMs, refreshMs: 60_000 },
} as const;
export type RangeName = keyof typeof ranges;

export const rangeOf = (name: string | undefined): RangeName =>
  name !== undefined && Object.hasOwn(ranges, name) ? (name as RangeName) : '1h';
