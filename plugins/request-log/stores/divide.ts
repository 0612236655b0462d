import { type Batch, sealed } from '../batch.js';

/**
 * The halves of a batch that a store rejects, the last one first: the first record, by which the batch is recognized, is stored last.
 *
 * @param areOthersStored whether some of these records may be stored already, in another batch or by a failed attempt
 */
export function halvesOf({ id, records }: Batch, areOthersStored: boolean): Batch[] {
  const middle = Math.ceil(records.length / 2);
  const halves = [records.slice(middle), records.slice(0, middle)];
  return halves.map((half) => (id === null || areOthersStored ? { id: null, records: half } : sealed(half)));
}
