// Each process adds to statistics of its own, so as not to wait for the others. Once a period is over they are added up
// into one: then what many replicas have written is read as quickly as what one has.

const now = `(now() AT TIME ZONE 'UTC')`;

/** For how many days back; what comes later than that stays as it is, and counts all the same. */
const lateDays = 3;

/** Rows are locked in the order in which batches write them, so that neither waits for the other for ever. */
const statement = (table: string, keys: string, taken: string, sums: string, added: string) => `
  WITH parts AS (
    SELECT period, start, ${keys}, shard FROM ${table}
    WHERE period IN (60, 3600, 86400) AND shard > 0
      AND start >= ${now} - coalesce($1, ${lateDays}) * interval '1 day'
      AND start < ${now} - (period + 60) * interval '1 second'
    ORDER BY period, start, ${keys} FOR UPDATE
  ), taken AS (
    DELETE FROM ${table} USING parts
    WHERE (${table}.period, ${table}.start, ${qualified(table, keys)}, ${table}.shard)
      = (parts.period, parts.start, ${qualified('parts', keys)}, parts.shard)
    RETURNING ${table}.*
  ) ${taken}
  INSERT INTO ${table} AS stats ${sums}
  ORDER BY period, start, ${keys}
  ON CONFLICT (period, start, ${keys}, shard) DO UPDATE SET ${added}`;

export const mergedHistogram = `(
  SELECT array_agg(n << 7 | bucket) FROM (
    SELECT bin & 127 AS bucket, sum(bin >> 7)::bigint AS n
    FROM unnest(stats.histogram || excluded.histogram) AS bin GROUP BY 1
  ) AS bins
)`;

/** Both take how many days back to look, null for as many as usual. */
export const foldStats = statement(
  'request_stats',
  'route, method, "statusCode"',
  `, bins AS (
    SELECT period, start, route, method, "statusCode", bin & 127 AS bucket, sum(bin >> 7)::bigint AS n
    FROM taken, unnest(histogram) AS bin GROUP BY 1, 2, 3, 4, 5, 6
  )`,
  `(period, start, route, method, "statusCode", shard, count, histogram)
  SELECT period, start, route, method, "statusCode", 0, sum(n), array_agg(n << 7 | bucket) FROM bins GROUP BY 1, 2, 3, 4, 5`,
  `count = stats.count + excluded.count, histogram = ${mergedHistogram}`,
);

export const foldKeyStats = statement(
  'request_stats_by_key',
  '"apiKeyId"',
  '',
  `(period, start, "apiKeyId", shard, count, errors)
  SELECT period, start, "apiKeyId", 0, sum(count), sum(errors) FROM taken GROUP BY 1, 2, 3`,
  'count = stats.count + excluded.count, errors = stats.errors + excluded.errors',
);

function qualified(table: string, keys: string) {
  return keys
    .split(', ')
    .map((key) => `${table}.${key}`)
    .join(', ');
}
