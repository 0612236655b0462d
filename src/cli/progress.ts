import { SingleBar } from 'cli-progress';
import type { PrismaClient } from '../../plugins/prisma/generated/client.js';
import { arrivalOf } from '../../plugins/request-log/record.js';

/** How far a walk through the request log is. */
export interface Progress {
  /** @param lastId of the rows so far */
  update(rows: number, lastId: string): void;
  /** Takes the bar away. */
  stop(): void;
}

/**
 * Shows a bar if `stream` is a terminal. The share done is one of time: the ids say when the rows arrived, so the lowest and
 * the highest are all that has to be looked up, where a count would read them all.
 *
 * @param id the range of the walk
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

  const start = arrivalOf(first.id);
  const bar = new SingleBar({
    stream,
    format: '{bar} {percentage} % | {rows} rows | {duration_formatted}',
    barsize: 30,
    clearOnComplete: true,
  });
  bar.start(arrivalOf(last.id) - start, 0, { rows: 0 });
  return {
    update: (rows, lastId) => bar.update(arrivalOf(lastId) - start, { rows }),
    stop: () => bar.stop(),
  };
}
