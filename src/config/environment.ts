import { type Static, Type } from '@sinclair/typebox';
import { envSchema } from 'env-schema';
import { prefixPattern } from '../../plugins/api-keys/key-fields.js';
import { maxRequests } from '../../plugins/limits/limit.js';
import { ConfigError } from './error.js';

const dayMs = 86_400_000;
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const PostgresUrl = Type.String({
  pattern: '^postgres(ql)?://.',
  description: 'a URL such as postgresql://user:password@localhost:5432/musicez',
});

/** The variables of the service, and SHADOW_DATABASE_URL of Prisma's commands. A test compares `.env.example` with this list. */
export const Environment = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3000 }),
  HOST: Type.Optional(Type.String()),
  LOG_LEVEL: Type.Unsafe<(typeof logLevels)[number]>({ type: 'string', enum: [...logLevels], default: 'info' }),
  DATABASE_URL: Type.Optional(PostgresUrl),
  DATABASE_URL_FILE: Type.Optional(Type.String()),
  DATABASE_POOL_SIZE: Type.Optional(Type.Integer({ minimum: 4, maximum: 1_000 })),
  MIGRATE_ON_START: Type.Boolean({ default: true }),
  SHADOW_DATABASE_URL: Type.Optional(PostgresUrl),
  DATA_DIR: Type.String({ default: '.data' }),
  API_KEY_PREFIX: Type.String({
    pattern: prefixPattern,
    description: '1 to 16 lower-case letters and digits, a letter first',
    default: 'mez',
  }),
  BOOTSTRAP_ADMIN_KEY: Type.Optional(Type.String()),
  BOOTSTRAP_ADMIN_KEY_FILE: Type.Optional(Type.String()),
  API_KEY_EVENTS_RETENTION_DAYS: Type.Integer({ minimum: 0, maximum: 36_500, default: 0 }),
  KEY_CACHE_TTL_MS: Type.Integer({ minimum: 0, maximum: dayMs, default: 5_000 }),
  KEY_CACHE_MAX_STALE_MS: Type.Integer({ minimum: 0, maximum: dayMs, default: 60_000 }),
  KEY_CACHE_MAX_ENTRIES: Type.Integer({ minimum: 1, maximum: 10_000_000, default: 50_000 }),
  REQUEST_LOG_URL: Type.Optional(
    Type.String({
      pattern: '^clickhouses?://.',
      description: 'a URL such as clickhouse://user:password@localhost:8123/musicez',
    }),
  ),
  REQUEST_LOG_URL_FILE: Type.Optional(Type.String()),
  REQUEST_LOG_FLUSH_MS: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000 })),
  REQUEST_LOG_BUFFER_ROWS: Type.Integer({ minimum: 1, maximum: 10_000_000, default: 50_000 }),
  REQUEST_LOG_SPOOL_MAX_BYTES: Type.Integer({ minimum: 0, default: 2 ** 30 }),
  REQUEST_LOG_RETENTION_DAYS: Type.Integer({ minimum: 0, maximum: 36_500, default: 30 }),
  REQUEST_STATS_RETENTION_DAYS: Type.Integer({ minimum: 0, maximum: 36_500, default: 400 }),
  TRUST_PROXY: Type.Optional(Type.String()),
  CORS_ORIGINS: Type.Optional(Type.String()),
  RATE_LIMIT_PER_MINUTE: Type.Optional(Type.Integer({ minimum: 1, maximum: maxRequests })),
  RATE_LIMITS: Type.Optional(Type.String()),
  REDIS_URL: Type.Optional(
    Type.String({ pattern: '^rediss?://.', description: 'a URL such as redis://localhost:6379' }),
  ),
  REDIS_URL_FILE: Type.Optional(Type.String()),
  TRACE_URL: Type.Optional(Type.String()),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(Type.String()),
  OTEL_EXPORTER_OTLP_HEADERS: Type.Optional(Type.String()),
  OTEL_SERVICE_NAME: Type.String({ default: 'musicez' }),
  OTEL_RESOURCE_ATTRIBUTES: Type.Optional(Type.String()),
  OTEL_TRACES_SAMPLER: Type.String({ default: 'parentbased_always_on' }),
  OTEL_TRACES_SAMPLER_ARG: Type.String({ default: '1' }),
  OTEL_SDK_DISABLED: Type.String({ default: 'false' }),
  SHUTDOWN_DELAY_MS: Type.Integer({ minimum: 0, maximum: dayMs, default: 0 }),
});

/** Checks types, ranges and patterns of the variables. @throws ConfigError */
export function validate(data: Record<string, unknown>): Static<typeof Environment> {
  try {
    return envSchema<Static<typeof Environment>>({ schema: Environment, data, env: false });
  } catch (error) {
    const { errors } = error as { errors?: VariableError[] };
    if (!errors) throw error;
    throw new ConfigError(errors.map(explain).join('; '));
  }
}

interface VariableError {
  instancePath: string;
  keyword: string;
  message: string;
}

function explain({ instancePath, keyword, message }: VariableError) {
  const name = instancePath.slice(1) as keyof typeof Environment.properties;
  const variable = Environment.properties[name];
  if (keyword === 'pattern') return `${name} must be ${variable.description}`;
  if (keyword === 'enum') return `${name} must be one of ${variable.enum.join(', ')}`;
  return `${name} ${message}`;
}
