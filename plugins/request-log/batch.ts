import type { RequestRecord } from './record.js';

/**
 * Records that are stored together. A batch that was sent is never divided or joined with others, in memory and in the spool, so that a
 * store recognizes by its id a batch that it has.
 */
export interface Batch {
  /** The id of the first record, a UUIDv7; null when some of the records may be stored already, in other batches. */
  readonly id: string | null;
  readonly records: readonly RequestRecord[];
}

/** @param records at least one */
export function sealed(records: readonly RequestRecord[]): Batch {
  return { id: records[0]?.id ?? null, records };
}
