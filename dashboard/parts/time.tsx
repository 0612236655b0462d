import { serverNow } from '../server-clock.js';
import * as zone from '../time/zone.js';

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
];

/** A time in the shown time zone, with the exact time as a tooltip; `relative`: as in “2 hours ago”. */
export function Time({ at, relative: isRelative = false }: { at: string; relative?: boolean }) {
  const moment = new Date(at);
  return (
    <time dateTime={at} title={at}>
      {isRelative ? fromNow(moment) : momentOf(moment)}
    </time>
  );
}

/** The time of day, with the date unless it is today. */
export const momentOf = (moment: Date) => zone.momentOf(moment, new Date(serverNow()));

export function fromNow(moment: Date, now = serverNow()): string {
  const ms = moment.getTime() - now;
  const [unit, length] = units.find(([, length]) => Math.abs(ms) >= length) ?? ['second', 1_000];
  return relative.format(Math.trunc(ms / length), unit);
}
