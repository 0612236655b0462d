import { type Limit, windowText } from '../../plugins/limits/limit.js';
import type { Quota } from '../../plugins/limits/quota.js';
import { count } from './numbers.js';

/** Such as “600 a minute”. */
export function limitText({ limit, windowSeconds }: Pick<Limit, 'limit' | 'windowSeconds'>): string {
  return `${count(limit)} ${windowText(windowSeconds)}`;
}

/** Such as “100,000 a month”. */
export function quotaText({ limit, period }: Quota): string {
  return `${count(limit)} a ${period}`;
}

interface UsageMeterProps {
  /** What is counted, for screen readers. */
  label: string;
  used: number;
  limit: number;
}

/** A bar that shows how much of a limit is used. */
export function UsageMeter({ label, used, limit }: UsageMeterProps) {
  const text = `${count(used)} of ${count(limit)} used`;
  return (
    <span class="usage-meter">
      <meter aria-label={`${label}: ${text}`} min={0} max={limit} high={limit * 0.8} optimum={0} value={used} />
      <span>{text}</span>
    </span>
  );
}
