import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { ConfigError, loadConfig } from '../../src/config/index.js';
import { temporaryDirectory } from '../temporary-directory.js';

t.test('every variable has a default', async (t) => {
  t.match(loadConfig({}), {
    port: 3000,
    host: /^(::|0\.0\.0\.0)$/,
    logLevel: 'info',
    database: { url: undefined, dataDir: /\.data$/ },
    apiKeys: {
      prefix: 'mez',
      cache: { ttlMs: 5_000, maxStaleMs: 60_000, maxEntries: 50_000 },
      ratePerMinute: undefined,
    },
    limits: { redisUrl: undefined },
    requestLog: { flushIntervalMs: 100, bufferRows: 50_000, retentionDays: 30, spool: { maxBytes: 2 ** 30 } },
    trustProxy: false,
    corsOrigins: [],
    drain: { delayMs: 0 },
  });
});

t.test('an empty value counts as unset', async (t) => {
  t.equal(loadConfig({ PORT: '', DATABASE_URL: '' }).port, 3000);
});

t.test('a secret can be in a file', async (t) => {
  const directory = temporaryDirectory(t);
  const secrets = {
    DATABASE_URL: 'postgresql://app:hunter2@db/app',
    REDIS_URL: 'redis://:hunter2@redis',
    REQUEST_LOG_URL: 'clickhouse://app:hunter2@clickhouse/app',
    BOOTSTRAP_ADMIN_KEY: generateKey('mez'),
  };
  for (const [name, value] of Object.entries(secrets)) {
    const path = join(directory, name);
    writeFileSync(path, `${value}\n`);
    t.strictSame(loadConfig({ [`${name}_FILE`]: path }), loadConfig({ [name]: value }), name);
    t.strictSame(loadConfig({ [`${name}_FILE`]: '' }), loadConfig({}), `${name}_FILE is empty`);
    const rejects = (variables: NodeJS.ProcessEnv, message: RegExp) =>
      t.throws(() => loadConfig(variables), { name: 'ConfigError', message });
    rejects({ [`${name}_FILE`]: path, [name]: value }, new RegExp(`^${name} and ${name}_FILE are both set: unset`));
    rejects(
      { [`${name}_FILE`]: join(directory, 'nothing') },
      new RegExp(`^${name}_FILE: the file cannot be read \\(ENOENT\\)`),
    );
    rejects({ [`${name}_FILE`]: value }, new RegExp(`^${name}_FILE: (?!.*(hunter2|mez_))`));
    rejects({ [`${name}_FILE`]: directory }, new RegExp(`^${name}_FILE: the file cannot be read \\(EISDIR\\)`));
    writeFileSync(path, '\n');
    rejects({ [`${name}_FILE`]: path }, new RegExp(`^${name}_FILE: the file is empty`));
    writeFileSync(path, 'hunter2');
    rejects({ [`${name}_FILE`]: path }, new RegExp(`^${name} (?!.*hunter2)`));
  }
});

t.test('the environment overrides a secret of .env, wherever either of them is', async (t) => {
  const [own, others] = ['postgresql://app@own/app', 'postgresql://app@dotenv/app'];
  const directory = temporaryDirectory(t);
  const path = join(directory, 'url');
  writeFileSync(path, own);
  const before = process.cwd();
  process.chdir(directory);
  t.teardown(() => process.chdir(before));
  const urlWith = (dotenv: string, variables: NodeJS.ProcessEnv) => {
    writeFileSync('.env', dotenv);
    return loadConfig(variables, { dotenv: true }).database.url;
  };
  for (const dotenv of [`DATABASE_URL=${others}`, 'DATABASE_URL_FILE=/nonexistent']) {
    t.equal(urlWith(dotenv, { DATABASE_URL: own }), own);
    t.equal(urlWith(dotenv, { DATABASE_URL_FILE: path }), own);
    t.equal(urlWith(dotenv, { DATABASE_URL: '' }), undefined);
  }
  t.equal(urlWith(`DATABASE_URL=${others}`, { DATABASE_URL_FILE: '' }), others);
  t.equal(urlWith('DATABASE_URL_FILE=/nonexistent', { DATABASE_URL_FILE: '' }), undefined);
  t.throws(() => urlWith(`DATABASE_URL=${others}\nDATABASE_URL_FILE=${path}`, {}), { message: /are both set/ });
});

t.test('an invalid value is rejected with the name of the variable', async (t) => {
  for (const [name, value] of [
    ['PORT', '65536'],
    ['PORT', '3000.5'],
    ['LOG_LEVEL', 'verbose'],
    ['DATABASE_URL', 'postgres://a b'],
    ['API_KEY_PREFIX', 'Mez_'],
    ['KEY_CACHE_TTL_MS', '5s'],
    ['KEY_CACHE_MAX_ENTRIES', '0'],
    ['RATE_LIMIT_PER_MINUTE', '0'],
    ['REQUEST_LOG_FLUSH_MS', '0'],
    ['REQUEST_LOG_URL', 'http://localhost:8123/musicez'],
    ['REQUEST_LOG_URL', 'clickhouse://localhost/musicez?secure=1'],
    ['REQUEST_LOG_URL', 'clickhouse://localhost/musicez/x'],
    ['TRUST_PROXY', '1'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '0.0.0.0/0'],
    ['TRUST_PROXY', '::/0'],
    ['TRUST_PROXY', '10.0.0.0/'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'https://example.com/'],
    ['RATE_LIMIT_PER_MINUTE', '0'],
    ['REDIS_URL', 'localhost'],
    ['SHUTDOWN_DELAY_MS', '-1'],
    ['TRACE_URL', 'https://tempo.example/trace'],
    ['TRACE_URL', 'tempo/{traceId}'],
    ['TRACE_URL', 'javascript:{traceId}'],
  ] as const) {
    t.throws(
      () => loadConfig({ [name]: value }),
      { name: 'ConfigError', message: new RegExp(`^${name} [^\n]+$`) },
      `${name}=${value}`,
    );
  }
});

t.test('with an endpoint, a value that OpenTelemetry would ignore is rejected', async (t) => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  for (const [name, value] of [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', '/v1/traces'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'http/json'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'x-tenant'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization: Basic dXNlcjpzZWNyZXQ=='],
    ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'authorization=%zz'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://user@collector:4318'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'http://:password@collector:4318'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://collector:4318 '],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://collector:4318/?a=b'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=a;b'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization='],
    ['OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT', '0'],
    ['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'zstd'],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '10s'],
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', '/absent.pem'],
    ['OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE', '/'],
    ['OTEL_EXPORTER_OTLP_CLIENT_KEY', '/absent.pem'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=b,c'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=b=c'],
    ['OTEL_RESOURCE_ATTRIBUTES', '=b'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%zz'],
    ['OTEL_RESOURCE_ATTRIBUTES', `a=${'b'.repeat(256)}`],
    ['OTEL_PROPAGATORS', 'b3'],
    ['OTEL_PROPAGATORS', 'baggage'],
    ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '0'],
    ['OTEL_BSP_SCHEDULE_DELAY', '5s'],
    ['OTEL_SPAN_LINK_COUNT_LIMIT', 'many'],
    ['OTEL_TRACES_EXPORTER', 'zipkin'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '5%'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
  ] as const) {
    t.throws(
      () => loadConfig({ ...endpoint, [name]: value }),
      { name: 'ConfigError', message: new RegExp(`^${name} must be [^\n]+; OTEL_SDK_DISABLED=true turns spans off$`) },
      `${name}=${value}`,
    );
    if (!(name in endpoint)) t.equal(loadConfig({ [name]: name.endsWith('ENDPOINT') ? '' : value }).tracing, undefined);
    t.equal(loadConfig({ ...endpoint, [name]: value, OTEL_SDK_DISABLED: 'True' }).tracing, undefined);
  }
  t.throws(() => loadConfig({ ...endpoint, OTEL_SDK_DISABLED: 'yes' }), {
    message: /^OTEL_SDK_DISABLED must be true or false/,
  });
  const valid = {
    ...endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=team, authorization=Bearer%20x==,',
    OTEL_EXPORTER_OTLP_CERTIFICATE: 'package.json',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_TIMEOUT: '500',
    OTEL_BSP_MAX_QUEUE_SIZE: '100',
    OTEL_SPAN_EVENT_COUNT_LIMIT: '0',
    OTEL_RESOURCE_ATTRIBUTES: 'a=b, c=%3D%2C,',
    OTEL_PROPAGATORS: 'tracecontext,baggage',
    OTEL_METRIC_EXPORT_INTERVAL: 'of another signal',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.05',
  };
  t.strictSame(loadConfig({ ...valid, PORT: '1', OTEL_SERVICE_NAME: '' }).tracing, valid);
});

t.test('all invalid values are reported together, on one line', async (t) => {
  t.throws(() => loadConfig({ PORT: 'x', LOG_LEVEL: 'x' }), { message: /^PORT [^\n]*; LOG_LEVEL [^\n]*$/ });
});

t.test('no error message contains a secret', async (t) => {
  for (const variables of [
    { DATABASE_URL: 'mysql://root:hunter2@db/x' },
    { DATABASE_URL: 'postgres://root:hunter2@[db/x' },
    { DATABASE_URL: 'postgres://root:hunter2%@db/x' },
    { DATABASE_URL: 'postgres://root:x@hunter2/x@db/x' },
    { REDIS_URL: 'redis://:hunter2%E0@redis' },
    { REDIS_URL: 'redis://:x@hunter2#x@redis' },
    { BOOTSTRAP_ADMIN_KEY: 'mez_hunter2' },
    { REDIS_URL: 'http://:hunter2@redis' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector', OTEL_EXPORTER_OTLP_HEADERS: 'hunter2' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://user:hunter2@collector' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:hunter2@collector' },
  ]) {
    try {
      loadConfig(variables);
      t.fail(`accepted ${JSON.stringify(variables)}`);
    } catch (error) {
      t.ok(error instanceof ConfigError);
      t.notMatch((error as Error).message, 'hunter2');
    }
  }
});

t.test('proxies are trusted by address, network or name, and origins are used unchanged', async (t) => {
  t.equal(loadConfig({ TRUST_PROXY: 'true' }).trustProxy, true);
  t.equal(loadConfig({ TRUST_PROXY: 'false' }).trustProxy, false);
  t.strictSame(loadConfig({ TRUST_PROXY: 'loopback, 10.0.0.0/8,fd00::/8' }).trustProxy, [
    'loopback',
    '10.0.0.0/8',
    'fd00::/8',
  ]);
  const origins = ['https://a.example', 'http://localhost:5173'];
  t.strictSame(loadConfig({ CORS_ORIGINS: origins.join(', ') }).corsOrigins, origins);
});

t.test('a bootstrap key can have any prefix, and white space around it', async (t) => {
  const key = generateKey('abc');
  for (const value of [key, `${key}\n`, ` ${key}\r\n`])
    t.equal(loadConfig({ BOOTSTRAP_ADMIN_KEY: value }).bootstrapAdminKey, key);
  t.throws(() => loadConfig({ BOOTSTRAP_ADMIN_KEY: key.replace('_', '_ ') }), {
    message: /^BOOTSTRAP_ADMIN_KEY is not a key: it has white space in the middle/,
  });
});

t.test(
  '.env is read only with the option dotenv; empty values count as unset; the environment overrides it',
  async (t) => {
    const directory = t.testdir({
      '.env': 'PORT=4000\nHOST=\nTRUST_PROXY=\nDATABASE_URL=\nREDIS_URL="redis://cache"\nLOG_LEVEL=warn\n',
    });
    const before = process.cwd();
    process.chdir(directory);
    t.teardown(() => process.chdir(before));
    const config = loadConfig({ LOG_LEVEL: 'error' }, { dotenv: true });
    t.match(config, {
      port: 4000,
      host: /^(::|0\.0\.0\.0)$/,
      trustProxy: false,
      logLevel: 'error',
      limits: { redisUrl: 'redis://cache' },
    });
    t.equal(loadConfig({}).port, 3000);
  },
);
