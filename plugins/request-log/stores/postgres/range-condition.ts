import type { Piece } from '../../stats-range.js';

/** The condition for the columns `period` and `start`, which have UTC without a time zone. */
export function conditionOf(pieces: Piece[]): string {
  const withoutZone = (time: Date) => `'${time.toISOString().slice(0, -1)}'::timestamp`;
  const conditions = pieces.map(
    ({ period, from, to }) => `(period = ${period} AND start >= ${withoutZone(from)} AND start < ${withoutZone(to)})`,
  );
  return `(${conditions.join(' OR ')})`;
}
