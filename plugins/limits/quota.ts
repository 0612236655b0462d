/** At most `limit` requests in a calendar day or month, in UTC. A request with a cost counts as that many. */
export interface Quota {
  limit: number;
  period: 'day' | 'month';
}

/** A quota and what was used of it, as responses show it. */
export interface QuotaState extends Quota {
  used: number;
  remaining: number;
  /** When the next period begins. */
  resetsAt: Date;
}

/** The current window of a quota. Times are in milliseconds since 1970. */
export interface QuotaWindow {
  /** The start of the period, or when the quota was reset in it. */
  start: number;
  endsAt: number;
  /** The length of the whole period. */
  periodSeconds: number;
}

/** The largest integer of a structured header field. */
export const maxQuota = 999_999_999_999_999;
export const quotaHint = 'requests a day or month, such as 100000/month';

/** @param resetAt when the quota was reset, in milliseconds since 1970; null: never */
export function windowAt(period: Quota['period'], resetAt: number | null, now: number): QuotaWindow {
  const time = new Date(now);
  const [year, month, day] = [time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()];
  const [startsAt, endsAt] =
    period === 'day'
      ? [Date.UTC(year, month, day), Date.UTC(year, month, day + 1)]
      : [Date.UTC(year, month), Date.UTC(year, month + 1)];
  return {
    start: resetAt === null ? startsAt : Math.max(startsAt, resetAt),
    endsAt,
    periodSeconds: (endsAt - startsAt) / 1_000,
  };
}

/** @param now in milliseconds since 1970 */
export function quotaStateOf({ limit, period }: Quota, used: number, now: number): QuotaState {
  const { endsAt } = windowAt(period, null, now);
  return { limit, period, used, remaining: Math.max(0, limit - used), resetsAt: new Date(endsAt) };
}

/** Parses a quota such as `100000/month`. @returns undefined for an invalid text */
export function parseQuota(text: string): Quota | undefined {
  const [, requests, period] = /^(\d{1,16})\/(day|month)$/.exec(text) ?? [];
  const limit = Number(requests);
  if (period === undefined || limit < 1 || limit > maxQuota) return undefined;
  return { limit, period: period as Quota['period'] };
}
