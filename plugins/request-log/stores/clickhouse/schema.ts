import type { ClickHouse } from './client.js';

/** For how many blocks ClickHouse remembers the tokens. */
const deduplicationWindow = 100_000;

/** For each row of a page, ClickHouse reads the block of each column that the row is in. Small blocks halve the time of pages of rare rows. */
const smallBlocks = 'index_granularity = 2048, min_compress_block_size = 8192, max_compress_block_size = 16384';
const settings = `non_replicated_deduplication_window = ${deduplicationWindow}`;
/** Times by the minute, hour and day, as in PostgreSQL. */
const periods = `arrayJoin([60, 3600, 86400]) AS period,
  toDateTime(intDiv(toUnixTimestamp(createdAt), period) * period, 'UTC') AS start`;

/**
 * The schema, by version. A migration is never changed. Its statements can be executed again, because replicas of the service do so
 * at the same time.
 */
export const migrations: readonly { name: string; statements: readonly string[] }[] = [
  {
    name: '1_request_logs',
    statements: [
      // `UUIDToNum` orders ids by time. ClickHouse compares UUIDs by their last half first.
      `CREATE TABLE IF NOT EXISTS request_logs (
        id UUID CODEC(ZSTD(1)),
        createdAt DateTime64(3, 'UTC') DEFAULT UUIDv7ToDateTime(id, 'UTC') CODEC(Delta, ZSTD(1)),
        method LowCardinality(String),
        path String CODEC(ZSTD(1)),
        route LowCardinality(String),
        statusCode Int32 CODEC(T64, ZSTD(1)),
        duration UInt32 CODEC(T64, ZSTD(1)),
        bucket UInt8 CODEC(ZSTD(1)),
        ip String CODEC(ZSTD(1)),
        userAgent LowCardinality(Nullable(String)),
        apiKeyId String CODEC(ZSTD(1)),
        outcome LowCardinality(String),
        ownerId String CODEC(ZSTD(1)),
        checkedOwnerId String CODEC(ZSTD(1)),
        verifiedApiKeyId String CODEC(ZSTD(1)),
        verification String CODEC(ZSTD(1)),
        traceId String CODEC(ZSTD(1)),
        INDEX routes route TYPE set(100) GRANULARITY 1,
        INDEX statuses statusCode TYPE set(100) GRANULARITY 1,
        INDEX durations duration TYPE minmax GRANULARITY 1,
        INDEX paths path TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX ips ip TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX keys apiKeyId TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX owners checkedOwnerId TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX verifiedKeys verifiedApiKeyId TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX traces traceId TYPE bloom_filter(0.001) GRANULARITY 1
      ) ENGINE = MergeTree PARTITION BY toYYYYMMDD(createdAt) ORDER BY UUIDToNum(id)
      SETTINGS ttl_only_drop_parts = 1, ${smallBlocks}, ${settings}`,
      `CREATE TABLE IF NOT EXISTS request_stats (
        period UInt32,
        start DateTime('UTC'),
        route LowCardinality(String),
        method LowCardinality(String),
        statusCode Int32,
        count SimpleAggregateFunction(sum, UInt64),
        histogram SimpleAggregateFunction(sumMap, Map(UInt8, UInt64))
      ) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(start)
      ORDER BY (period, start, route, method, statusCode) SETTINGS ${settings}`,
      `CREATE MATERIALIZED VIEW IF NOT EXISTS request_stats_view TO request_stats AS
      SELECT ${periods}, route, method, statusCode, count() AS count, sumMap(map(bucket, toUInt64(1))) AS histogram
      FROM request_logs GROUP BY period, start, route, method, statusCode`,
      `CREATE TABLE IF NOT EXISTS request_stats_by_key (
        period UInt32,
        start DateTime('UTC'),
        apiKeyId String,
        count SimpleAggregateFunction(sum, UInt64),
        errors SimpleAggregateFunction(sum, UInt64)
      ) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(start)
      ORDER BY (period, start, apiKeyId) SETTINGS ${settings}`,
      `CREATE MATERIALIZED VIEW IF NOT EXISTS request_stats_by_key_view TO request_stats_by_key AS
      SELECT ${periods}, apiKeyId, count() AS count, countIf(statusCode >= 500) AS errors
      FROM request_logs WHERE apiKeyId != '' GROUP BY period, start, apiKeyId`,
      `CREATE TABLE IF NOT EXISTS key_usage (
        period UInt32,
        start DateTime('UTC'),
        apiKeyId String,
        ownerId String,
        outcome LowCardinality(String),
        count SimpleAggregateFunction(sum, UInt64)
      ) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(start)
      ORDER BY (period, start, apiKeyId, ownerId, outcome) SETTINGS ${settings}`,
      // A request that verifies a key has two checks: of its own key, which was valid, and of that key.
      `CREATE MATERIALIZED VIEW IF NOT EXISTS key_usage_view TO key_usage AS
      SELECT ${periods}, check.1 AS apiKeyId, check.2 AS ownerId, check.3 AS outcome, count() AS count
      FROM (
        SELECT createdAt, arrayJoin([
          (apiKeyId, ownerId, toString(if(verification = '', outcome, 'VALID'))),
          (verifiedApiKeyId, checkedOwnerId, toString(outcome))
        ]) AS check
        FROM request_logs
      )
      WHERE apiKeyId != '' AND outcome != '' GROUP BY period, start, apiKeyId, ownerId, outcome`,
    ],
  },
];

const historyTable = `CREATE TABLE IF NOT EXISTS request_log_migrations (name String, appliedAt DateTime DEFAULT now())
  ENGINE = ReplacingMergeTree ORDER BY name`;

/** Creates and updates the tables. */
export async function migrate(clickHouse: ClickHouse): Promise<void> {
  await clickHouse.execute(historyTable);
  const applied = await clickHouse.rows<{ name: string }>('SELECT DISTINCT name FROM request_log_migrations');
  const names = new Set(applied.map(({ name }) => name));
  for (const { name, statements } of migrations) {
    if (names.has(name)) continue;
    for (const statement of statements) await clickHouse.execute(statement);
    await clickHouse.insert('request_log_migrations', ['name'], [JSON.stringify([name])], name);
  }
}

export interface Retention {
  /** How many days rows and statistics by minute are kept; 0: without limit. */
  retentionDays: number;
  /** How many days statistics by hour and day are kept; 0: without limit. */
  statsRetentionDays: number;
}

/** Sets how long ClickHouse keeps rows and statistics. It removes rows by whole days. Changes nothing if the times are the same. */
export async function setRetention(clickHouse: ClickHouse, retention: Retention): Promise<void> {
  const { retentionDays, statsRetentionDays } = retention;
  // Whole days in UTC, as the rows.
  const afterDays = (days: number) => `toStartOfDay(start) + toIntervalDay(${days + 1})`;
  const minutes = retentionDays === 0 ? [] : [`${afterDays(retentionDays)} WHERE period = 60`];
  const others = statsRetentionDays === 0 ? [] : [`${afterDays(statsRetentionDays)} WHERE period > 60`];
  const ttls: Record<string, string> = {
    request_logs: retentionDays === 0 ? '' : `toDateTime(createdAt) + toIntervalDay(${retentionDays})`,
  };
  for (const table of ['request_stats', 'request_stats_by_key', 'key_usage'])
    ttls[table] = [...minutes, ...others].join(', ');
  const tables = await clickHouse.rows<{ name: string; definition: string }>(
    'SELECT name, engine_full AS definition FROM system.tables WHERE database = currentDatabase() AND name IN {names:Array(String)}',
    { names: Object.keys(ttls) },
  );
  for (const { name, definition } of tables) {
    const [, current = ''] = / TTL (.*) SETTINGS /.exec(definition) ?? [];
    const ttl = ttls[name] ?? '';
    if (ttl === current) continue;
    await clickHouse.execute(`ALTER TABLE ${name} ${ttl === '' ? 'REMOVE TTL' : `MODIFY TTL ${ttl}`}`);
  }
}
