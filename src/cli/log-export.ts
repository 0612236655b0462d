import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isUnavailable } from '../../plugins/database/unavailable.js';
import { textOf } from '../../plugins/request-log/export.js';
import type { RequestLogRow } from '../../plugins/request-log/row.js';
import type { RequestLogReader } from '../../plugins/request-log/store.js';
import { CommandError } from './command-line.js';
import type { LogExport } from './log-commands.js';
import { openFile } from './output.js';
import { type Progress, startProgress } from './progress.js';

/** Prisma's code for a missing table. */
const tableMissing = 'P2021';

/** The streams of the process, and the signal that interrupts it. */
export interface ExportContext {
  stdout: Writable & { isTTY?: boolean };
  stderr: NodeJS.WriteStream;
  /** Interrupts the export. */
  signal: AbortSignal;
}

/**
 * Writes the export while it is read, and the number of rows to stderr.
 *
 * @throws CommandError when it is interrupted, or the output or the database fails; a partial file is removed
 */
export async function exportLog(
  log: Pick<RequestLogReader, 'pages' | 'edges'>,
  { query: { format, ...filter }, output, force }: LogExport,
  { stdout, stderr, signal }: ExportContext,
): Promise<void> {
  const file = output === undefined ? undefined : await openFile(output, force);
  let progress: Progress | undefined;
  let rows = 0;
  try {
    // No progress bar among rows on a terminal.
    if (stderr.isTTY && (file || !stdout.isTTY)) progress = startProgress(await log.edges(filter), stderr);
    await pipeline(read, (pages) => textOf(format, pages), file?.stream ?? stdout, { signal });
  } catch (error) {
    await file?.discard();
    const { name, code, message } = error as NodeJS.ErrnoException;
    // The reader closed the pipe, as `head` does.
    if (code === 'EPIPE') return;
    if (code === tableMissing) throw new CommandError('this database has no request log: start the service on it once');
    if (name === 'AbortError') throw new CommandError(`interrupted after ${rows} rows`);
    if (code !== undefined) throw new CommandError(`cannot write ${output ?? 'to standard output'}: ${message}`);
    throw error;
  } finally {
    progress?.stop();
  }
  stderr.write(`${rows} ${rows === 1 ? 'row' : 'rows'} written${output === undefined ? '' : ` to ${output}`}\n`);

  async function* read(): AsyncGenerator<RequestLogRow[]> {
    try {
      for await (const page of log.pages(filter)) {
        yield page;
        rows += page.length;
        progress?.update(rows, page.at(-1)?.id ?? '');
      }
    } catch (error) {
      if ((error as { code?: string }).code === tableMissing) throw error;
      // Without a code, to distinguish it from an error of the output.
      if (!isUnavailable(error)) throw new Error('the request log cannot be read', { cause: error });
      throw new CommandError(`the database failed after ${rows} rows: try again when it is available`);
    }
  }
}
