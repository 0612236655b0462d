import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { clock } from '../plugins/clock.js';
import { badField } from '../plugins/problem-details/bad-field.js';
import { hourSeconds, type StatsRange } from '../plugins/request-log/stats-range.js';
import { described, Timestamp, TimestampInput } from './fields.js';

const dayMs = 86_400_000;
const minuteMs = 60_000;

/** The query of a range of statistics. */
export const statsRange = {
  from: Type.Optional(described(TimestampInput, 'Default: a day before `to`')),
  to: Type.Optional(described(TimestampInput, 'Default: now')),
  interval: Type.Optional(
    Type.Integer({
      minimum: 60,
      maximum: 31 * 86_400,
      multipleOf: 60,
      description:
        'Seconds: whole minutes, or whole hours when `from` is older than the retention of rows. Default: up to 100 intervals, of whole hours for ranges over 6 hours, of whole days over 14 days',
    }),
  ),
  exact: Type.Optional(
    Type.Boolean({
      description:
        '`true`: the range is rounded to minutes in place of whole intervals (to hours where `from` is older than the retention of rows), so that the first and the last interval can be partial. The default interval is finer: up to 150 intervals, of whole hours for ranges over 25 hours, of whole days over 32 days',
    }),
  ),
};
const Range = Type.Object(statsRange);

/** The range of a response. */
export const intervals = {
  from: described(Timestamp, 'The start of the first interval; with `exact`, of the range'),
  to: described(Timestamp, 'The end of the last interval; with `exact`, of the range'),
  interval: Type.Integer({ description: 'Seconds' }),
};

/**
 * Completes a range with its defaults.
 *
 * @param maxIntervals the largest number of intervals in the response
 * @throws BadFieldError when the range is empty, has too many intervals, or shorter ones than the statistics have
 */
export function statsRangeOf(
  { requestLog: { minutesSince } }: FastifyInstance,
  { from, to, interval, exact }: Static<typeof Range>,
  maxIntervals: number,
): StatsRange {
  const end = to === undefined ? new Date(clock.now()) : new Date(to);
  const start = from === undefined ? new Date(end.getTime() - dayMs) : new Date(from);
  const lengthMs = end.getTime() - start.getTime();
  if (!(lengthMs > 0)) throw badField('/querystring/from', 'must be before /querystring/to');
  if (interval !== undefined) {
    const least = Math.ceil(lengthMs / maxIntervals / minuteMs) * 60;
    if (interval < least) throw badField('/querystring/interval', `must be at least ${least} for this range`);
    if (start < minutesSince && interval % hourSeconds !== 0)
      throw badField('/querystring/interval', `must be whole hours before ${minutesSince.toISOString()}`);
  }
  return { from: start, to: end, interval, isExact: exact, minutesSince };
}
