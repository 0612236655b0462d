import { randomInt } from 'node:crypto';
import type { QuotaCharge } from '../../../limits/quota-counter.js';
import { arrayLiteral, TextColumn } from './array-literal.js';

/** The number of shards of the statistics, which roll-up-stats.ts merges, and of the use of quotas. */
const shards = 16;
/** The one that this process writes to. */
export const shard = randomInt(shards);

/**
 * SQL that settles charges: adds them to the use of their quotas.
 *
 * @param schema the PostgreSQL schema of the tables, quoted
 * @param first the number of the first of four parameters, which are those of `ChargeColumns`
 * @param isSettled a condition: the charges were settled earlier
 * @returns parts of a statement: `tables` for its WITH clause; `totals`, which returns what was used of each charged quota by all
 *   replicas (`QuotaTotal`), also of charges that were settled earlier
 */
export function settlementOf(schema: string, first: number, isSettled: string) {
  return {
    tables: `charges AS MATERIALIZED (
      SELECT kind, target, timestamp 'epoch' + start * interval '1 millisecond' AS start, units
      FROM unnest($${first}::text[], $${first + 1}::text[], $${first + 2}::bigint[], $${first + 3}::bigint[])
        AS charges (kind, target, start, units)
    ), settled AS (
      INSERT INTO ${schema}.quota_usage AS quotas (kind, id, start, shard, used)
      SELECT kind, target, start, ${shard}, sum(units)
      FROM charges WHERE NOT ${isSettled} GROUP BY kind, target, start ORDER BY kind, target, start
      ON CONFLICT (kind, id, start, shard) DO UPDATE SET used = quotas.used + excluded.used
      RETURNING kind, id AS target, start, used
    )`,
    totals: `SELECT kind, target AS id, (extract(epoch FROM start) * 1000)::float8 AS start, (coalesce(used, 0) + coalesce((
        SELECT sum(others.used) FROM ${schema}.quota_usage AS others
        WHERE others.kind = charged.kind AND others.id = target AND others.start = charged.start
          AND (others.shard <> ${shard} OR settled.used IS NULL)
      ), 0))::float8 AS used
    FROM (SELECT DISTINCT kind, target, start FROM charges) AS charged LEFT JOIN settled USING (kind, target, start)`,
  };
}

/** Charges of quotas as parameters. */
export class ChargeColumns {
  private readonly kinds: string[] = [];
  private readonly targets = new TextColumn();
  private readonly starts: number[] = [];
  private readonly units: number[] = [];

  push(charge: QuotaCharge) {
    this.kinds.push(charge.kind);
    this.targets.push(charge.id);
    this.starts.push(charge.start);
    this.units.push(charge.units);
  }

  toLiterals(): string[] {
    const [kinds, starts, units] = [this.kinds, this.starts, this.units].map(arrayLiteral);
    return [kinds, this.targets.toLiteral(), starts, units] as string[];
  }
}
