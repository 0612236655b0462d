import { computed } from '@preact/signals';
import { urlState } from '../url-state.js';

/** Whether times are shown in UTC. Otherwise they are shown in the time zone of the browser. */
export const isUtc = computed(() => urlState.value.params.tz === 'utc');

const zone = computed(() => (isUtc.value ? 'UTC' : undefined));
const part = (options: Intl.DateTimeFormatOptions) =>
  // The page is in English, whatever the language of the browser.
  computed(() => new Intl.DateTimeFormat('en', { ...options, hourCycle: 'h23', timeZone: zone.value }));

const time = { hour: '2-digit', minute: '2-digit' } as const;
const clock = part({ ...time, second: '2-digit' });
const minuteClock = part(time);
const day = part({ month: 'short', day: 'numeric' });
const dayWithYear = part({ year: 'numeric', month: 'short', day: 'numeric' });
const year = part({ year: 'numeric' });
const zoneName = part({ timeZoneName: 'shortOffset' });

/** Such as 14:05. */
export const minuteOf = (moment: Date) => minuteClock.value.format(moment);

/** Such as Nov 28. */
export const dayOf = (moment: Date) => day.value.format(moment);

/** The time of day, with the date unless it is the day of `now`. */
export function momentOf(moment: Date, now: Date): string {
  const [shownDay, today] = [dayWithYear.value.format(moment), dayWithYear.value.format(now)];
  if (shownDay === today) return clock.value.format(moment);
  const isThisYear = year.value.format(moment) === year.value.format(now);
  return `${isThisYear ? dayOf(moment) : shownDay}, ${clock.value.format(moment)}`;
}

/** The name of the zone, such as UTC or GMT+2. */
export function nameOfZone(moment: Date): string {
  if (isUtc.value) return 'UTC';
  const { value = '' } = zoneName.value.formatToParts(moment).find(({ type }) => type === 'timeZoneName') ?? {};
  return value;
}

const written = part({
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** A time as it is typed, such as `2026-01-31 09:30`, in the shown zone. */
export function textOfTime(moment: Date): string {
  const parts = Object.fromEntries(written.value.formatToParts(moment).map(({ type, value }) => [type, value]));
  const seconds = parts.second === '00' ? '' : `:${parts.second}`;
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}${seconds}`;
}

/**
 * Reads a time that was typed: a day, a day with a time, or a time of today, in the shown zone unless it has one itself.
 *
 * @returns undefined when the text is no time
 */
export function timeOfText(text: string, now: Date): Date | undefined {
  const trimmed = text.trim();
  const withDay = /^\d\d?:\d\d(:\d\d)?$/.test(trimmed) ? `${textOfTime(now).slice(0, 10)} ${trimmed}` : trimmed;
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?\s*(Z|[+-]\d\d:\d\d)?$/i.exec(withDay);
  if (!match) return undefined;
  const [, date = '', hours = '0', minutes = '00', seconds = '00', ownZone = isUtc.value ? 'Z' : ''] = match;
  const moment = new Date(`${date}T${hours.padStart(2, '0')}:${minutes}:${seconds}${ownZone.toUpperCase()}`);
  return Number.isNaN(moment.getTime()) ? undefined : moment;
}
