import type { UrlState } from '../url-state.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Ranges that end now, and the interval of their updates. */
export const presets = {
  '15m': { title: '15 min', words: '15 minutes', lengthMs: 15 * minuteMs, refreshMs: 5_000 },
  '1h': { title: '1 h', words: 'hour', lengthMs: hourMs, refreshMs: 5_000 },
  '6h': { title: '6 h', words: '6 hours', lengthMs: 6 * hourMs, refreshMs: 15_000 },
  '24h': { title: '24 h', words: '24 hours', lengthMs: dayMs, refreshMs: 60_000 },
  '7d': { title: '7 d', words: '7 days', lengthMs: 7 * dayMs, refreshMs: 60_000 },
  '30d': { title: '30 d', words: '30 days', lengthMs: 30 * dayMs, refreshMs: 60_000 },
} as const;
export type Preset = keyof typeof presets;

/** A range of time: one that ends now, or a fixed one, whose ends can be open. */
export type TimeRange = { preset: Preset } | { from: string | undefined; to: string | undefined };

export const isPreset = (name: string | undefined): name is Preset =>
  name !== undefined && Object.hasOwn(presets, name);

/** @returns the range in the URL; undefined without one */
export function rangeIn({ params }: Pick<UrlState, 'params'>): TimeRange | undefined {
  const [from, to] = [params.from, params.to].map((time) => (Number.isNaN(Date.parse(time ?? '')) ? undefined : time));
  if (from || to) return { from, to };
  return isPreset(params.range) ? { preset: params.range } : undefined;
}

/**
 * The ends of a range in milliseconds since 1970, at most the present. `from` is a whole minute for a range that ends now, and a day
 * before `to` when it is open.
 */
export function endsOf(range: TimeRange, now: number): { from: number; to: number } {
  if ('preset' in range) {
    const { lengthMs } = presets[range.preset];
    return { from: Math.floor((now - lengthMs) / minuteMs) * minuteMs, to: now };
  }
  const to = Math.min(range.to ? Date.parse(range.to) : now, now);
  return { from: range.from ? Date.parse(range.from) : to - dayMs, to };
}

/** The parameters of the API for a range, without those of open ends. */
export function queryOfRange(range: TimeRange, now: number): { from?: string; to?: string } {
  if (!('preset' in range)) return { ...(range.from && { from: range.from }), ...(range.to && { to: range.to }) };
  return { from: new Date(endsOf(range, now).from).toISOString() };
}

/** The interval of updates; null for a range in the past. */
export function refreshMsOf(range: TimeRange): number | null {
  if ('preset' in range) return presets[range.preset].refreshMs;
  return range.to ? null : presets['24h'].refreshMs;
}

/**
 * How far back the period to compare with is, in milliseconds, whole minutes.
 *
 * @param comparison the period before, or the same time of the day before
 */
export function comparedShiftMs({ from, to }: { from: number; to: number }, comparison: 'before' | 'day'): number {
  return comparison === 'day' ? dayMs : Math.ceil((to - from) / minuteMs) * minuteMs;
}
