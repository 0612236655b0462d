import { PostgresReader } from '../../plugins/request-log/stores/postgres/index.js';
import type { Config } from '../config/index.js';
import { withDatabase } from './database.js';
import { parseLogsCommand } from './log-commands.js';
import { exportLog } from './log-export.js';

/** A day: a page of rare rows can read the whole table, and the user can interrupt it. */
const queryTimeoutMs = 86_400_000;

/**
 * Runs one `logs` command.
 *
 * @param args the arguments after `logs`
 * @throws CommandError when `args` are invalid, or the export fails
 */
export async function runLogsCommand(args: string[], config: Config): Promise<void> {
  const task = parseLogsCommand(args);
  if (!task) return;
  const path = `/v1/request-logs/export?${new URLSearchParams(Object.entries(task.query).map(([k, v]) => [k, `${v}`]))}`;
  const configWithoutTimeout = { ...config, database: { ...config.database, queryTimeoutMs } };
  await withDatabase(configWithoutTimeout, { path }, async (prisma, database) => {
    const interruption = new AbortController();
    const interrupt = () => interruption.abort();
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    await exportLog(new PostgresReader(prisma, database), task, {
      stdout: process.stdout,
      stderr: process.stderr,
      signal: interruption.signal,
    });
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  });
}
