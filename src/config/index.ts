import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { BlockList } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type Static, Type } from '@sinclair/typebox';
import { envSchema } from 'env-schema';
import { isWellFormedKey } from '../../plugins/api-keys/key-format.js';
import { highestRateLimit } from '../../plugins/api-keys/store.js';
import { databaseConfig } from './database.js';

/** A variable has a value that cannot work. The message is one line that names it and never repeats a secret. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Once unready, after the delay: in-flight requests (half of it), then the use of keys, the request log, its days, the
 * listener and the pool, which give up after 1, 4, 1, 2 and 1 s.
 */
export const closeDeadlineMs = 20_000;

const dayMs = 86_400_000;
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const PostgresUrl = Type.String({
  pattern: '^postgres(ql)?://.',
  description: 'a URL such as postgresql://user:password@localhost:5432/musicez',
});

/** Every variable that the service reads. A test holds `.env.example` and the README to this list. */
export const Environment = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3000 }),
  HOST: Type.String({ default: '0.0.0.0' }),
  LOG_LEVEL: Type.Unsafe<(typeof logLevels)[number]>({ type: 'string', enum: [...logLevels], default: 'info' }),
  DATABASE_URL: Type.Optional(PostgresUrl),
  SHADOW_DATABASE_URL: Type.Optional(PostgresUrl),
  DATA_DIR: Type.String({ default: '.data' }),
  API_KEY_PREFIX: Type.String({
    pattern: '^[a-z][a-z0-9]{0,15}$',
    description: '1 to 16 lower-case letters and digits, a letter first',
    default: 'mez',
  }),
  BOOTSTRAP_ADMIN_KEY: Type.Optional(Type.String()),
  KEY_CACHE_TTL_MS: Type.Integer({ minimum: 0, maximum: dayMs, default: 5_000 }),
  KEY_CACHE_MAX_STALE_MS: Type.Integer({ minimum: 0, maximum: dayMs, default: 60_000 }),
  KEY_CACHE_MAX_ENTRIES: Type.Integer({ minimum: 1, maximum: 10_000_000, default: 50_000 }),
  REQUEST_LOG_FLUSH_MS: Type.Integer({ minimum: 1, maximum: 60_000, default: 100 }),
  REQUEST_LOG_BUFFER_ROWS: Type.Integer({ minimum: 1, maximum: 10_000_000, default: 50_000 }),
  REQUEST_LOG_SPOOL_MAX_BYTES: Type.Integer({ minimum: 0, default: 2 ** 30 }),
  REQUEST_LOG_RETENTION_DAYS: Type.Integer({ minimum: 0, maximum: 36_500, default: 30 }),
  REQUEST_STATS_RETENTION_DAYS: Type.Integer({ minimum: 0, maximum: 36_500, default: 400 }),
  TRUST_PROXY: Type.Optional(Type.String()),
  CORS_ORIGINS: Type.Optional(Type.String()),
  RATE_LIMIT_PER_MINUTE: Type.Optional(Type.Integer({ minimum: 1, maximum: highestRateLimit })),
  REDIS_URL: Type.Optional(
    Type.String({ pattern: '^rediss?://.', description: 'a URL such as redis://localhost:6379' }),
  ),
  SHUTDOWN_DELAY_MS: Type.Integer({ minimum: 0, maximum: dayMs, default: 0 }),
});

/** Those of them that nobody else should come to know. */
const secretVariables = ['DATABASE_URL', 'SHADOW_DATABASE_URL', 'BOOTSTRAP_ADMIN_KEY', 'REDIS_URL'] as const;

const require = createRequire(import.meta.url);
/** The directory of package.json. */
export const packageRoot = dirname(require.resolve('#package.json'));
/** This version of the service, as package.json has it. */
export const { version } = require('#package.json') as { version: string };

export type Config = ReturnType<typeof loadConfig>;

/**
 * Reads and checks the configuration.
 *
 * @param variables usually `process.env`; an empty value counts as unset
 * @param dotenv also read `.env` in the working directory; what `variables` says wins
 * @throws ConfigError when a variable has a value that cannot work
 */
export function loadConfig(variables: NodeJS.ProcessEnv, { dotenv = false } = {}) {
  const all = { ...(dotenv && existsSync('.env') && parseEnv(readFileSync('.env', 'utf8'))), ...variables };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
  const env = validate(given);
  return {
    version,
    port: env.PORT,
    host: env.HOST,
    logLevel: env.LOG_LEVEL,
    database: {
      url: env.DATABASE_URL && checkedUrl('DATABASE_URL', env.DATABASE_URL),
      dataDir: resolve(env.DATA_DIR),
      prismaDir: join(packageRoot, 'prisma'),
      limits: databaseConfig,
      queryTimeoutMs: 30_000,
    },
    apiKeys: {
      prefix: env.API_KEY_PREFIX,
      cache: {
        ttlMs: env.KEY_CACHE_TTL_MS,
        maxStaleMs: env.KEY_CACHE_MAX_STALE_MS,
        maxEntries: env.KEY_CACHE_MAX_ENTRIES,
      },
      ratePerMinute: env.RATE_LIMIT_PER_MINUTE,
    },
    limits: { redisUrl: env.REDIS_URL && checkedUrl('REDIS_URL', env.REDIS_URL) },
    bootstrapAdminKey: checkedKey(env.BOOTSTRAP_ADMIN_KEY, env.API_KEY_PREFIX),
    requestLog: {
      flushIntervalMs: env.REQUEST_LOG_FLUSH_MS,
      bufferRows: env.REQUEST_LOG_BUFFER_ROWS,
      retentionDays: env.REQUEST_LOG_RETENTION_DAYS,
      statsRetentionDays: env.REQUEST_STATS_RETENTION_DAYS,
      spool: { directory: join(resolve(env.DATA_DIR), 'spool'), maxBytes: env.REQUEST_LOG_SPOOL_MAX_BYTES },
    },
    http: {
      // A client that is slower than this is none that we want, or is behind a proxy that is not.
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      // Longer than the load balancers in front keep a connection, and than a stream says nothing.
      idleTimeoutMs: 120_000,
      headerBytes: 16_384,
      bodyBytes: 1_048_576,
    },
    dashboard: { pageDir: join(packageRoot, 'dist/dashboard') },
    loadShedding: { maxEventLoopDelayMs: 250 },
    trustProxy: trustedProxies(env.TRUST_PROXY),
    corsOrigins: allowedOrigins(env.CORS_ORIGINS),
    // Half of what the process has for closing; the request log and the pool come after.
    drain: { delayMs: env.SHUTDOWN_DELAY_MS, requestsDeadlineMs: closeDeadlineMs / 2 },
  };
}

/**
 * The configuration of this process. Its environment is without the secrets from then on: a diagnostic report of Node.js, as
 * after a crash, has all of it.
 *
 * @throws ConfigError when a variable has a value that cannot work
 */
export function takeConfig(): Config {
  const config = loadConfig(process.env, { dotenv: true });
  for (const name of secretVariables) delete process.env[name];
  return config;
}

function validate(data: Record<string, unknown>): Static<typeof Environment> {
  try {
    return envSchema<Static<typeof Environment>>({ schema: Environment, data, env: false });
  } catch (error) {
    const { errors } = error as { errors?: Mistake[] };
    if (!errors) throw error;
    throw new ConfigError(errors.map(explain).join('; '));
  }
}

interface Mistake {
  instancePath: string;
  keyword: string;
  message: string;
}

function explain({ instancePath, keyword, message }: Mistake) {
  const name = instancePath.slice(1) as keyof typeof Environment.properties;
  const variable = Environment.properties[name];
  if (keyword === 'pattern') return `${name} must be ${variable.description}`;
  if (keyword === 'enum') return `${name} must be one of ${variable.enum.join(', ')}`;
  return `${name} ${message}`;
}

function checkedUrl(name: string, value: string) {
  if (!isEscapedUrl(value)) throw new ConfigError(`${name} is not a URL (is every special character percent-encoded?)`);
  return value;
}

/** A `/`, `?` or `#` in a password ends the host too soon: what follows, `@` and all, would be sought, and logged, as its name. */
function isEscapedUrl(text: string) {
  try {
    const { pathname, search, hash } = new URL(text);
    return !(pathname + search + hash).includes('@') && decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}

function checkedKey(key: string | undefined, prefix: string) {
  if (key !== undefined && !isWellFormedKey(key, prefix)) {
    throw new ConfigError(
      `BOOTSTRAP_ADMIN_KEY is not a key: it must be ${prefix}_, 32 base62 characters and their checksum`,
    );
  }
  return key;
}

/**
 * `true` trusts every peer; else a list of addresses, networks (CIDR) and the names `loopback`, `linklocal`,
 * `uniquelocal`. A number of hops is refused: Fastify trusts nobody then, since a hop count says nothing about the peer.
 */
function trustedProxies(value: string | undefined): boolean | string[] {
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  const proxies = value.split(',').map((proxy) => proxy.trim());
  const wrong = proxies.find((proxy) => !isProxy(proxy));
  if (wrong === undefined) return proxies;
  throw new ConfigError(
    `TRUST_PROXY must be true, false or a list of addresses and networks such as "loopback,10.0.0.0/8"; not ${JSON.stringify(wrong)}`,
  );
}

function isProxy(value: string) {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(value)) return true;
  const [address = '', bits] = value.split('/');
  // A network of everybody is what `true` is for; the library refuses it.
  if (bits !== undefined && !/^[1-9]\d*$/.test(bits)) return false;
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  try {
    new BlockList().addSubnet(address, bits === undefined ? 32 : Number(bits), family);
    return true;
  } catch {
    return false;
  }
}

/** Origins are compared as text, so they must be written as a browser sends them: scheme, host, port and no more. */
function allowedOrigins(value: string | undefined): string[] {
  const origins = value?.split(',').map((origin) => origin.trim()) ?? [];
  const wrong = origins.find((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin);
  if (wrong === undefined) return origins;
  throw new ConfigError(
    `CORS_ORIGINS must list origins such as "https://app.example.com"; not ${JSON.stringify(wrong)}`,
  );
}
