const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
});
const date = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const dateWithYear = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
];

/** A time in the user's time zone, with the exact time as a tooltip; `relative`: as in “2 hours ago”. */
export function Time({ at, relative: isRelative = false }: { at: string; relative?: boolean }) {
  const moment = new Date(at);
  return (
    <time dateTime={at} title={at}>
      {isRelative ? fromNow(moment) : momentOf(moment)}
    </time>
  );
}

/** The time of day, with the date unless it is today. */
export function momentOf(moment: Date): string {
  const today = new Date();
  if (moment.toDateString() === today.toDateString()) return clock.format(moment);
  const day = moment.getFullYear() === today.getFullYear() ? date : dateWithYear;
  return `${day.format(moment)}, ${clock.format(moment)}`;
}

export function fromNow(moment: Date, now = Date.now()): string {
  const ms = moment.getTime() - now;
  const [unit, length] = units.find(([, length]) => Math.abs(ms) >= length) ?? ['second', 1_000];
  return relative.format(Math.trunc(ms / length), unit);
}
