import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isUnavailable } from '../../plugins/database/unavailable.js';
import type { PrismaClient, RequestLog } from '../../plugins/prisma/generated/client.js';
import { pagesOf, textOf } from '../../plugins/request-log/export.js';
import { conditionsOf } from '../../routes/request-log-fields.js';
import { CommandError } from './command-line.js';
import type { LogExport } from './log-commands.js';
import { openFile } from './output.js';
import { type Progress, startProgress } from './progress.js';

/** Prisma's code for a table that is not there. */
const noSuchTable = 'P2021';

/** What a process has around it. */
export interface Surroundings {
  stdout: Writable & { isTTY?: boolean };
  stderr: NodeJS.WriteStream;
  /** Interrupts it. */
  signal: AbortSignal;
}

/**
 * Writes what is asked for as it is read, and says on stderr how many rows there were.
 *
 * @throws CommandError when the output, the database or the user ends it early; what there is of a file is removed
 */
export async function exportLog(
  prisma: PrismaClient,
  { query: { format, ...filter }, output, force }: LogExport,
  { stdout, stderr, signal }: Surroundings,
): Promise<void> {
  const conditions = conditionsOf(filter);
  const file = output === undefined ? undefined : await openFile(output, force);
  let progress: Progress | undefined;
  let rows = 0;
  try {
    // Rows on the screen are progress enough, and a bar would stand among them.
    if (file || !stdout.isTTY) progress = await startProgress(prisma, conditions.id, stderr);
    await pipeline(read, (pages) => textOf(format, pages), file?.stream ?? stdout, { signal });
  } catch (error) {
    await file?.discard();
    const { name, code, message } = error as NodeJS.ErrnoException;
    // Whoever reads has enough, as `head` does.
    if (code === 'EPIPE') return;
    if (code === noSuchTable) throw new CommandError('this database has no request log: start the service on it once');
    if (name === 'AbortError') throw new CommandError(`interrupted after ${rows} rows`);
    if (code !== undefined) throw new CommandError(`cannot write ${output ?? 'to standard output'}: ${message}`);
    throw error;
  } finally {
    progress?.stop();
  }
  stderr.write(`${rows} ${rows === 1 ? 'row' : 'rows'} written${output === undefined ? '' : ` to ${output}`}\n`);

  async function* read(): AsyncGenerator<RequestLog[]> {
    try {
      for await (const page of pagesOf(prisma, conditions)) {
        yield page;
        rows += page.length;
        progress?.update(rows, page.at(-1)?.id ?? '');
      }
    } catch (error) {
      if ((error as { code?: string }).code === noSuchTable) throw error;
      // Without a code, so that nobody takes it for one of the output.
      if (!isUnavailable(error)) throw new Error('the request log cannot be read', { cause: error });
      throw new CommandError(`the database went away after ${rows} rows: try again when it is back`);
    }
  }
}
