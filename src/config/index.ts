import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { databaseConfig } from './database.js';
import { validate } from './environment.js';
import { mergedVariables } from './files.js';
import { secretTracingVariables, tracingVariables } from './tracing.js';
import {
  allowedOrigins,
  anyAddress,
  checkedClickHouseUrl,
  checkedDatabaseUrl,
  checkedKey,
  checkedUrl,
  defaultLimits,
  traceUrlTemplate,
  trustedProxies,
} from './values.js';

export { Environment } from './environment.js';
export { ConfigError } from './error.js';

/**
 * The time for shutdown after the delay: half of it for running requests; then key usage, events of quotas, request log, partition
 * maintenance, listener, pools and spans, which take up to 1, 1, 4, 1, 2, 1 and 1 s.
 */
export const closeDeadlineMs = 22_000;

/** The variables with secrets. */
export const secretVariables: readonly string[] = [
  ...['DATABASE_URL', 'SHADOW_DATABASE_URL', 'BOOTSTRAP_ADMIN_KEY', 'REDIS_URL', 'REQUEST_LOG_URL'],
  ...secretTracingVariables,
];

const require = createRequire(import.meta.url);
/** The directory of package.json. */
export const packageRoot = dirname(require.resolve('#package.json'));
/** The version in package.json. */
export const { version } = require('#package.json') as { version: string };

export type Config = ReturnType<typeof loadConfig>;

/**
 * Reads and checks the configuration.
 *
 * @param variables usually `process.env`; an empty value counts as unset. Secrets can be in files: DATABASE_URL_FILE names the file of
 *   DATABASE_URL
 * @param dotenv also reads `.env` in the working directory; `variables` take precedence
 * @throws ConfigError for invalid values
 */
export function loadConfig(variables: NodeJS.ProcessEnv, { dotenv = false } = {}) {
  const ofDotenv = dotenv && existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  const all = mergedVariables(ofDotenv, variables);
  const nonEmpty = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
  const env = validate(nonEmpty);
  return {
    version,
    port: env.PORT,
    host: env.HOST ?? anyAddress(),
    logLevel: env.LOG_LEVEL,
    database: {
      url: env.DATABASE_URL && checkedDatabaseUrl(env.DATABASE_URL),
      dataDir: resolve(env.DATA_DIR),
      prismaDir: join(packageRoot, 'prisma'),
      limits: databaseConfig,
      poolSize: env.DATABASE_POOL_SIZE,
      queryTimeoutMs: 30_000,
    },
    shouldMigrate: env.MIGRATE_ON_START,
    apiKeys: {
      prefix: env.API_KEY_PREFIX,
      cache: {
        ttlMs: env.KEY_CACHE_TTL_MS,
        maxStaleMs: env.KEY_CACHE_MAX_STALE_MS,
        maxEntries: env.KEY_CACHE_MAX_ENTRIES,
      },
      defaultLimits: defaultLimits(env.RATE_LIMITS, env.RATE_LIMIT_PER_MINUTE),
    },
    limits: {
      redisUrl: env.REDIS_URL && checkedUrl('REDIS_URL', env.REDIS_URL),
      maxKeys: env.KEY_CACHE_MAX_ENTRIES,
    },
    bootstrapAdminKey: checkedKey(env.BOOTSTRAP_ADMIN_KEY),
    requestLog: {
      // Each insert into ClickHouse creates files, which it has to merge.
      flushIntervalMs: env.REQUEST_LOG_FLUSH_MS ?? (env.REQUEST_LOG_URL ? 1_000 : 100),
      bufferRows: env.REQUEST_LOG_BUFFER_ROWS,
      retentionDays: env.REQUEST_LOG_RETENTION_DAYS,
      statsRetentionDays: env.REQUEST_STATS_RETENTION_DAYS,
      eventsRetentionDays: env.API_KEY_EVENTS_RETENTION_DAYS,
      clickHouseUrl: env.REQUEST_LOG_URL && checkedClickHouseUrl(env.REQUEST_LOG_URL),
      spool: { directory: join(resolve(env.DATA_DIR), 'spool'), maxBytes: env.REQUEST_LOG_SPOOL_MAX_BYTES },
    },
    http: {
      // Drops clients that send headers or bodies more slowly than this.
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      // Longer than the idle timeout of load balancers, and than the interval of a stream's heartbeats.
      idleTimeoutMs: 120_000,
      // As much as nginx forwards by default.
      headerBytes: 32_768,
      bodyBytes: 1_048_576,
    },
    traceUrl: traceUrlTemplate(env.TRACE_URL),
    tracing: tracingVariables(nonEmpty),
    dashboard: { pageDir: join(packageRoot, 'dist/dashboard') },
    loadShedding: { maxEventLoopDelayMs: 250 },
    trustProxy: trustedProxies(env.TRUST_PROXY),
    corsOrigins: allowedOrigins(env.CORS_ORIGINS),
    // Half of the time for shutdown; request log and pools follow.
    drain: { delayMs: env.SHUTDOWN_DELAY_MS, requestsDeadlineMs: closeDeadlineMs / 2 },
  };
}

let processConfig: Config | undefined;

/**
 * Loads the configuration of this process once, and removes secrets from its environment: a diagnostic report of Node.js contains all
 * of it.
 *
 * @throws ConfigError for invalid values
 */
export function loadProcessConfig(): Config {
  processConfig ??= loadConfig(process.env, { dotenv: true });
  for (const name of secretVariables) delete process.env[name];
  return processConfig;
}
