import type { Limit } from '../../plugins/limits/limit.js';
import type { Quota } from '../../plugins/limits/quota.js';
import { count } from './numbers.js';

const windowTexts: Record<number, string> = { 1: 'a second', 60: 'a minute', 3600: 'an hour', 86400: 'a day' };

/** Such as “600 a minute”. */
export function limitText({ limit, windowSeconds }: Pick<Limit, 'limit' | 'windowSeconds'>): string {
  return `${count(limit)} ${windowTexts[windowSeconds] ?? `in ${durationText(windowSeconds)}`}`;
}

/** Such as “100,000 a month”. */
export function quotaText({ limit, period }: Quota): string {
  return `${count(limit)} a ${period}`;
}

function durationText(seconds: number): string {
  const units = { days: 86_400, hours: 3_600, minutes: 60 };
  const [unit, length] = Object.entries(units).find(([, length]) => seconds % length === 0) ?? ['seconds', 1];
  return `${seconds / length} ${unit}`;
}

interface FillProps {
  /** What is counted, for screen readers. */
  label: string;
  used: number;
  limit: number;
}

/** A bar that shows how full a limit is. */
export function Fill({ label, used, limit }: FillProps) {
  const text = `${count(used)} of ${count(limit)} used`;
  return (
    <span class="fill">
      <meter aria-label={`${label}: ${text}`} min={0} max={limit} high={limit * 0.8} optimum={0} value={used} />
      <span>{text}</span>
    </span>
  );
}
