import { type QuotaCharge, windowKeyOf } from '../limits/quota-counter.js';
import type { RequestRecord } from './record.js';

/** Charges of quotas whose records did not fit into the buffer, summed by window and replica. A later record settles them. */
export class HeldCharges {
  private readonly charges = new Map<string, QuotaCharge>();

  hold(charges: readonly QuotaCharge[]): void {
    for (const charge of charges) {
      const name = `${windowKeyOf(charge)}:${charge.replica}`;
      const units = (this.charges.get(name)?.units ?? 0) + charge.units;
      this.charges.set(name, { ...charge, units });
    }
  }

  /** @returns the record, with the held charges if there are any */
  addTo(record: RequestRecord): RequestRecord {
    if (this.charges.size === 0) return record;
    const charges = [...record.charges, ...this.charges.values()];
    this.charges.clear();
    return { ...record, charges };
  }
}
