import type { Config } from '../config/index.js';
import { withDatabase } from './database.js';
import { readLogsCommand } from './log-commands.js';
import { exportLog } from './log-export.js';

/** Rows that fit may be so rare that a page of them is the whole table read; whoever waits can interrupt it. */
const queryTimeoutMs = 86_400_000;

/**
 * Runs one `logs` command.
 *
 * @param args what follows `logs`
 * @throws CommandError when `args` make no sense, or it cannot be done
 */
export async function runLogsCommand(args: string[], config: Config): Promise<void> {
  const task = readLogsCommand(args);
  if (!task) return;
  const path = `/v1/request-logs/export?${new URLSearchParams(Object.entries(task.query).map(([k, v]) => [k, `${v}`]))}`;
  const patient = { ...config, database: { ...config.database, queryTimeoutMs } };
  await withDatabase(patient, { migrates: false, path }, async (prisma) => {
    const interruption = new AbortController();
    const interrupt = () => interruption.abort();
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    await exportLog(prisma, task, { stdout: process.stdout, stderr: process.stderr, signal: interruption.signal });
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  });
}
