// Each process writes to one of several shards of the statistics, to avoid lock contention. After a period has ended, its shards
// are merged into one, so that reads do not get slower with the number of replicas.

const now = `(now() AT TIME ZONE 'UTC')`;

/** How many days back shards are merged. Statistics that arrive later stay in their shards, and reads include them. */
const lateDays = 3;

/** Locks rows in the order in which batches write them, to avoid deadlocks. */
const statement = (schema: string, name: string, keys: string, taken: string, sums: string, added: string) => {
  const table = `${schema}.${name}`;
  return `
  WITH parts AS (
    SELECT period, start, ${keys}, shard FROM ${table}
    WHERE period IN (60, 3600, 86400) AND shard > 0
      AND start >= ${now} - coalesce($1, ${lateDays}) * interval '1 day'
      AND start < ${now} - (period + 60) * interval '1 second'
    ORDER BY period, start, ${keys} FOR UPDATE
  ), taken AS (
    DELETE FROM ${table} AS stats USING parts
    WHERE (stats.period, stats.start, ${qualified('stats', keys)}, stats.shard)
      = (parts.period, parts.start, ${qualified('parts', keys)}, parts.shard)
    RETURNING stats.*
  ) ${taken}
  INSERT INTO ${table} AS stats ${sums}
  ORDER BY period, start, ${keys}
  ON CONFLICT (period, start, ${keys}, shard) DO UPDATE SET ${added}`;
};

export const mergedHistogram = `(
  SELECT array_agg(n << 7 | bucket) FROM (
    SELECT bin & 127 AS bucket, sum(bin >> 7)::bigint AS n
    FROM unnest(stats.histogram || excluded.histogram) AS bin GROUP BY 1
  ) AS bins
)`;

/** The statements. Their parameter is how many days back to merge; null: the default. */
export const rollUpStatements = (schema: string) => [rollUpStats(schema), rollUpKeyStats(schema), rollUpUsage(schema)];

const rollUpStats = (schema: string) =>
  statement(
    schema,
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

const rollUpKeyStats = (schema: string) =>
  statement(
    schema,
    'request_stats_by_key',
    '"apiKeyId"',
    '',
    `(period, start, "apiKeyId", shard, count, errors)
  SELECT period, start, "apiKeyId", 0, sum(count), sum(errors) FROM taken GROUP BY 1, 2, 3`,
    'count = stats.count + excluded.count, errors = stats.errors + excluded.errors',
  );

const rollUpUsage = (schema: string) =>
  statement(
    schema,
    'key_usage',
    '"apiKeyId", "ownerId", outcome',
    '',
    `(period, start, "apiKeyId", "ownerId", outcome, shard, count)
  SELECT period, start, "apiKeyId", "ownerId", outcome, 0, sum(count) FROM taken GROUP BY 1, 2, 3, 4, 5`,
    'count = stats.count + excluded.count',
  );

function qualified(table: string, keys: string) {
  return keys
    .split(', ')
    .map((key) => `${table}.${key}`)
    .join(', ');
}
