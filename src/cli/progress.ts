import { SingleBar } from 'cli-progress';
import type { PrismaClient } from '../../plugins/prisma/generated/client.js';
import { timeInId } from '../../plugins/time-ordered-id.js';

/** The progress of an export. */
export interface Progress {
  /** @param lastId the id of the last row so far */
  update(rows: number, lastId: string): void;
  /** Removes the bar. */
  stop(): void;
}

/**
 * Shows a progress bar if `stream` is a terminal. Progress is measured in time, from the times in the ids: counting the rows would read
 * all of them.
 *
 * @param id the range of ids
 */
export async function startProgress(
  prisma: PrismaClient,
  id: { gte?: string; lt?: string },
  stream: NodeJS.WriteStream,
): Promise<Progress | undefined> {
  if (!stream.isTTY) return undefined;
  const edge = (order: 'asc' | 'desc') =>
    prisma.requestLog.findFirst({ where: { id }, orderBy: { id: order }, select: { id: true } });
  const [first, last] = [await edge('asc'), await edge('desc')];
  if (!first || !last) return undefined;

  const start = timeInId(first.id);
  const bar = new SingleBar({
    stream,
    format: '{bar} {percentage} % | {rows} rows | {duration_formatted}',
    barsize: 30,
    clearOnComplete: true,
  });
  bar.start(timeInId(last.id) - start, 0, { rows: 0 });
  return {
    update: (rows, lastId) => bar.update(timeInId(lastId) - start, { rows }),
    stop: () => bar.stop(),
  };
}
