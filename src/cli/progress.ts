import { SingleBar } from 'cli-progress';
import { timeInId } from '../../plugins/time-ordered-id.js';

/** The progress of an export. */
export interface Progress {
  /** @param lastId the id of the last row so far */
  update(rows: number, lastId: string): void;
  /** Removes the bar. */
  stop(): void;
}

/**
 * Shows a progress bar. Progress is measured in time, from the times in the ids: counting the rows would read
 * all of them.
 *
 * @param edges the first and last id of the export; null without rows
 */
export function startProgress(
  edges: { first: string; last: string } | null,
  stream: NodeJS.WriteStream,
): Progress | undefined {
  if (!edges) return undefined;
  const start = timeInId(edges.first);
  const bar = new SingleBar({
    stream,
    format: '{bar} {percentage} % | {rows} rows | {duration_formatted}',
    barsize: 30,
    clearOnComplete: true,
  });
  bar.start(timeInId(edges.last) - start, 0, { rows: 0 });
  return {
    update: (rows, lastId) => bar.update(timeInId(lastId) - start, { rows }),
    stop: () => bar.stop(),
  };
}
