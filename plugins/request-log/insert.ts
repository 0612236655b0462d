import { randomInt } from 'node:crypto';
import type { QueryConfig } from 'pg';
import { mergedHistogram } from './fold-stats.js';
import { bucketOf } from './histogram.js';
import { arrivalOf, type RequestRecord } from './record.js';

/** So many processes add to the same statistics without waiting for each other; see fold-stats.ts for what becomes of that. */
const shards = 16;
const shard = randomInt(shards);

/**
 * One statement for any number of rows, and what they add to the statistics. The time of arrival is the one in the id.
 *
 * @param onConflict what becomes of a row that is there already
 * @param counted those of the batch that were not
 */
const insert = (onConflict: string, counted: string) => `
  WITH batch AS MATERIALIZED (
    SELECT *, arrived / 60000 AS minute
    FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[], $9::bigint[],
      $10::text[], $11::int[]) AS batch (id, method, path, status, duration, ip, agent, key_id, arrived, route, bucket)
  ), stored AS (
    INSERT INTO request_logs (id, method, path, "statusCode", duration, ip, "userAgent", "apiKeyId", "createdAt", route)
    SELECT id, method, path, status, duration, ip, agent, key_id, timestamp 'epoch' + arrived * interval '1 millisecond', route
    FROM batch ${onConflict}
    RETURNING id
  ), minutes AS MATERIALIZED (
    SELECT minute, route, method, status, bucket, count(*) AS n FROM ${counted} GROUP BY 1, 2, 3, 4, 5
  ), periods AS (
    SELECT 60 AS period, minute * 60 AS start, route, method, status, bucket, n FROM minutes
    UNION ALL
    SELECT 3600, minute / 60 * 3600, route, method, status, bucket, sum(n) FROM minutes GROUP BY 2, 3, 4, 5, 6
    UNION ALL
    SELECT 86400, minute / 1440 * 86400, route, method, status, bucket, sum(n) FROM minutes GROUP BY 2, 3, 4, 5, 6
  ), added AS (
    INSERT INTO request_stats AS stats (period, start, route, method, "statusCode", shard, count, histogram)
    SELECT period, timestamp 'epoch' + start * interval '1 second', route, method, status, ${shard}, sum(n),
      array_agg(n::bigint << 7 | bucket)
    FROM periods GROUP BY period, start, route, method, status ORDER BY period, start, route, method, status
    ON CONFLICT (period, start, route, method, "statusCode", shard) DO UPDATE SET
      count = stats.count + excluded.count,
      histogram = ${mergedHistogram}
  ), keys AS MATERIALIZED (
    SELECT minute, key_id, count(*) AS n, count(*) FILTER (WHERE status >= 500) AS errors
    FROM ${counted} WHERE key_id IS NOT NULL GROUP BY 1, 2
  )
  INSERT INTO request_stats_by_key AS stats (period, start, "apiKeyId", shard, count, errors)
  SELECT period, timestamp 'epoch' + start * interval '1 second', key_id, ${shard}, n, errors FROM (
    SELECT 60 AS period, minute * 60 AS start, key_id, n, errors FROM keys
    UNION ALL
    SELECT 3600, minute / 60 * 3600, key_id, sum(n), sum(errors) FROM keys GROUP BY 2, 3
    UNION ALL
    SELECT 86400, minute / 1440 * 86400, key_id, sum(n), sum(errors) FROM keys GROUP BY 2, 3
  ) AS periods ORDER BY period, start, key_id
  ON CONFLICT (period, start, "apiKeyId", shard) DO UPDATE SET
    count = stats.count + excluded.count, errors = stats.errors + excluded.errors`;

/**
 * A batch that is sent again may have arrived before, without anybody hearing of it: rows that are there stay as they
 * are, and are not counted again. To be ready for that costs PostgreSQL a quarter more, so the first time it is not.
 */
const first = insert('', 'batch');
const statements = {
  prepared: { name: 'request-log-insert', text: first },
  unprepared: { text: first },
  again: { text: insert('ON CONFLICT (id) DO NOTHING', 'batch JOIN stored USING (id)') },
};

/** How long the server may take, in milliseconds, before the batch is tried again on another connection. */
const deadlineMs = 10_000;

/** What the column holds: 24 days. A stream may last longer. */
const longestDurationMs = 2 ** 31 - 1;

/**
 * The query that stores `records`. Its arrays are written out by hand, which costs a third of what `pg` takes for it.
 *
 * @param how `prepared` once a connection, for a batch that has not been sent before; `unprepared` where connections do
 *   not keep what they have prepared; `again` for one that may have been sent before
 */
export function insertOf(
  records: readonly RequestRecord[],
  how: keyof typeof statements,
): QueryConfig & { query_timeout: number } {
  const ids: string[] = [];
  const methods: string[] = [];
  const paths = new TextColumn();
  const statuses: number[] = [];
  const durations: number[] = [];
  const ips = new TextColumn();
  const agents = new TextColumn();
  const keyIds = new TextColumn();
  const arrivals: number[] = [];
  const routes = new TextColumn();
  const buckets: number[] = [];
  for (const record of records) {
    ids.push(record.id);
    methods.push(record.method);
    paths.push(record.path);
    statuses.push(record.statusCode);
    durations.push(Math.min(Math.round(record.durationMs), longestDurationMs));
    ips.push(record.ip);
    agents.push(record.userAgent);
    keyIds.push(record.apiKeyId);
    arrivals.push(arrivalOf(record.id));
    routes.push(record.route);
    buckets.push(bucketOf(record.durationMs));
  }
  const plain = [ids, methods].map(arrayLiteral);
  return {
    ...statements[how],
    values: [
      ...plain,
      paths.toLiteral(),
      arrayLiteral(statuses),
      arrayLiteral(durations),
      ips.toLiteral(),
      agents.toLiteral(),
      keyIds.toLiteral(),
      arrayLiteral(arrivals),
      routes.toLiteral(),
      arrayLiteral(buckets),
    ],
    query_timeout: deadlineMs,
  };
}

/**
 * Whether an error says that the connection is another one than before, as behind a pooler in transaction mode: a
 * statement that was prepared is not there, or one is that was not.
 */
export function losesPreparedStatements(error: unknown): boolean {
  return ['26000', '42P05'].includes(String((error as { code?: unknown }).code));
}

/** An array literal of what needs no quotes: numbers, UUIDs, HTTP methods. */
function arrayLiteral(items: readonly (string | number)[]): string {
  return `{${items.join(',')}}`;
}

/** An array literal of any text. Neighbouring rows often have the same one, so the last is remembered. */
class TextColumn {
  private readonly items: string[] = [];
  private last: string | null = null;
  private lastQuoted = 'NULL';

  push(text: string | null) {
    if (text !== this.last) {
      this.last = text;
      this.lastQuoted = text === null ? 'NULL' : quote(text);
    }
    this.items.push(this.lastQuoted);
  }

  toLiteral() {
    return arrayLiteral(this.items);
  }
}

/** PostgreSQL's text has no NUL, and an array literal escapes quotes and backslashes. */
function quote(text: string): string {
  return `"${text.replace(/\0/g, '').replace(/["\\]/g, '\\$&')}"`;
}
