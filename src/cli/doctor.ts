import { constants, existsSync } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openDatabase } from '../../plugins/database/open.js';
import { reasonOf } from '../../plugins/database/outage-log.js';
import { RedisCounter } from '../../plugins/limits/redis-counter.js';
import { commandNames } from '../command-names.js';
import type { Config } from '../config/index.js';
import { CommandError, parseCommandLine } from './command-line.js';
import { startWithin } from './database.js';
import { checksOfDatabase } from './doctor-database.js';
import { type Check, type Finding, failed, ok, warning } from './finding.js';

const usage = `Usage: ${commandNames.doctor} [options]

Checks variables, the database (version, rights, migrations, TLS, clock, notifications), Redis, ClickHouse, and the spool, and says what to do.
Changes nothing. The exit code is 1 when a check failed.

Example: ${commandNames.doctor}
`;

/** How long ClickHouse may take to answer, in milliseconds. */
const clickHouseDeadlineMs = 5_000;

/**
 * Runs `doctor`.
 *
 * @param args the arguments after `doctor`
 * @throws CommandError when `args` are invalid, or a check failed
 */
export async function runDoctorCommand(args: string[], config: Config): Promise<void> {
  const { values } = parseCommandLine('doctor', { args, options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) return void process.stdout.write(usage);
  let failures = 0;
  const report = async (name: string, check: Check) => {
    const { state, text } = await check().catch((error) => failed(reasonOf(error)));
    if (state === 'failed') failures++;
    process.stdout.write(`${state.padEnd(7)}  ${name.padEnd(13)}  ${text}\n`);
    return state;
  };

  await report('variables', async () => ok('valid'));
  await checkDatabase(config, report);
  const { redisUrl } = config.limits;
  if (redisUrl !== undefined) await report('redis', () => checkRedis(redisUrl));
  const { clickHouseUrl } = config.requestLog;
  if (clickHouseUrl !== undefined) await report('clickhouse', () => checkClickHouse(clickHouseUrl));
  await report('spool', () => checkSpool(config.requestLog.spool));
  if (failures > 0) throw new CommandError(failures === 1 ? 'a check failed' : `${failures} checks failed`);
}

async function checkDatabase(config: Config, report: (name: string, check: Check) => Promise<Finding['state']>) {
  const { url, dataDir } = config.database;
  if (url === undefined && !existsSync(join(dataDir, 'pglite'))) {
    await report('database', async () => ok(`embedded; the first start creates it in ${dataDir}`));
    return;
  }
  const database = openDatabase(config.database);
  try {
    const connected = await report('database', async () => {
      await startWithin(database);
      return ok(database.isEmbedded ? `embedded, in ${dataDir}` : 'connected');
    });
    if (connected !== 'ok') return;
    for (const [name, check] of Object.entries(checksOfDatabase(database, config))) await report(name, check);
  } finally {
    await database.close();
  }
}

async function checkRedis(url: string): Promise<Finding> {
  let failure: Error | undefined;
  const redis = new RedisCounter(url, (error) => {
    failure ??= error;
  });
  await redis.connect();
  redis.close();
  if (failure === undefined) return ok('connected');
  return failed(
    `REDIS_URL: ${failure.message}; each replica counts limits for itself: start Redis, or correct the URL`,
  );
}

async function checkClickHouse(url: string): Promise<Finding> {
  // Most installations do not use ClickHouse.
  const { ClickHouse } = await import('../../plugins/request-log/stores/clickhouse/client.js');
  const clickHouse = new ClickHouse(url, { requestTimeoutMs: clickHouseDeadlineMs });
  try {
    const [row] = await clickHouse.rows<{ version: string }>('SELECT version() AS version');
    return ok(`ClickHouse ${row?.version} at ${clickHouse.address}`);
  } catch (error) {
    const reason = reasonOf(error).replace(/^REQUEST_LOG_URL /, '');
    const isAnswered = /^\d+$/.test(String((error as { code?: unknown }).code));
    const remedy = isAnswered ? 'correct the user, its password or its rights' : 'start ClickHouse, or correct the URL';
    return failed(`REQUEST_LOG_URL: ${reason}; the request log goes to the spool: ${remedy}`);
  } finally {
    await clickHouse.close();
  }
}

async function checkSpool({ directory, maxBytes }: Config['requestLog']['spool']): Promise<Finding> {
  if (maxBytes === 0)
    return warning(
      'disabled: records are lost when the database is down and the buffer is full; set REQUEST_LOG_SPOOL_MAX_BYTES',
    );
  const existing = existingPartOf(directory);
  try {
    // With the slash, a file in place of the directory is an error.
    await access(`${existing}/`, constants.W_OK);
  } catch (error) {
    return failed(`DATA_DIR: ${reasonOf(error)}; make it writable for this user, so that records survive an outage`);
  }
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
  if (free < maxBytes)
    return warning(
      `${mb(free)} MB are free, and the spool may grow to ${mb(maxBytes)} MB: free disk space, or lower REQUEST_LOG_SPOOL_MAX_BYTES`,
    );
  return ok(`writable, up to ${mb(maxBytes)} MB`);
}

/** The directory, or the first directory above it that exists. */
function existingPartOf(directory: string): string {
  return existsSync(directory) ? directory : existingPartOf(dirname(directory));
}

const mb = (bytes: number) => Math.round(bytes / 1e6);
