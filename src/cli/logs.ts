import pino from 'pino';
import { reasonOf } from '../../plugins/database/outage-log.js';
import { isUnavailable } from '../../plugins/database/unavailable.js';
import { BatchStore } from '../../plugins/request-log/stores/postgres/batch-store.js';
import { PostgresReader } from '../../plugins/request-log/stores/postgres/index.js';
import { storedIds } from '../../plugins/request-log/stores/postgres/rows.js';
import type { Config } from '../config/index.js';
import { CommandError } from './command-line.js';
import { withDatabase } from './database.js';
import { type LogCopy, parseLogsCommand } from './log-commands.js';
import { type CopyTarget, copyLog } from './log-copy.js';
import { exportLog } from './log-export.js';

/** A day: a page of rare rows can read the whole table, and the user can interrupt it. */
const queryTimeoutMs = 86_400_000;
const dayMs = 86_400_000;
const { stdout, stderr } = process;

/**
 * Runs one `logs` command.
 *
 * @param args the arguments after `logs`
 * @throws CommandError when `args` are invalid, or the command fails
 */
export async function runLogsCommand(args: string[], config: Config): Promise<void> {
  const task = parseLogsCommand(args);
  if (!task) return;
  const { clickHouseUrl } = config.requestLog;
  const configWithoutTimeout = { ...config, database: { ...config.database, queryTimeoutMs } };
  if ('source' in task) return copy(task, configWithoutTimeout, clickHouseUrl);
  if (clickHouseUrl !== undefined)
    return inClickHouse(clickHouseUrl, (reader) =>
      withInterruption((signal) => exportLog(reader, task, { stdout, stderr, signal })),
    );
  const path = `/v1/request-logs/export?${new URLSearchParams(Object.entries(task.query).map(([k, v]) => [k, `${v}`]))}`;
  await withDatabase(configWithoutTimeout, { path }, (prisma, database) =>
    withInterruption((signal) => exportLog(new PostgresReader(prisma, database), task, { stdout, stderr, signal })),
  );
}

async function copy({ source, days }: LogCopy, config: Config, url: string | undefined) {
  if (url === undefined)
    throw new CommandError('logs copy requires REQUEST_LOG_URL, the ClickHouse to copy to or from');
  const from = new Date(Math.floor(Date.now() / dayMs - days) * dayMs);
  await inClickHouse(url, (clickHouse, toClickHouse) =>
    withDatabase(config, { path: '/v1/request-logs/export' }, async (prisma, database) => {
      const batches = new BatchStore(database, pino(pino.destination(2)));
      const toPostgres: CopyTarget = {
        write: (batch) => batches.write(batch),
        storedIds: (ids) => storedIds(database, ids),
      };
      await withInterruption((signal) =>
        source === 'postgresql'
          ? copyLog(new PostgresReader(prisma, database), toClickHouse, from, { stderr, signal })
          : copyLog(clickHouse, toPostgres, from, { stderr, signal }),
      );
    }),
  );
}

/** Loads the client of ClickHouse on demand. */
async function inClickHouse(url: string, work: Parameters<typeof import('./clickhouse.js').withClickHouse>[2]) {
  const { withClickHouse } = await import('./clickhouse.js');
  try {
    await withClickHouse(url, { requestTimeoutMs: queryTimeoutMs }, work);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    throw new CommandError(`REQUEST_LOG_URL: ClickHouse does not answer, or rejects the request: ${reasonOf(error)}`);
  }
}

async function withInterruption(work: (signal: AbortSignal) => Promise<void>) {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  await work(interruption.signal);
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
}
