import { hash } from 'node:crypto';
import { withDeadline } from '../../../database/deadline.js';
import type { DatabaseHandle } from '../../../database/index.js';
import type { QuotaCharge, QuotaTotal } from '../../../limits/quota-counter.js';
import { ChargeColumns, settlementOf } from './charges.js';
import { isPreparedStatementError } from './insert.js';

const deadlineMs = 2_000;

/** Settles the charges of a batch whose rows are in another store. The table `settled_batches` has the batches that were settled. */
function statementOf(schema: string) {
  const { tables, totals } = settlementOf(schema, 2, '(SELECT count(*) = 0 FROM added)');
  const text = `
    WITH added AS (
      INSERT INTO ${schema}.settled_batches (id, "settledAt") VALUES ($1, clock_timestamp() AT TIME ZONE 'UTC')
      ON CONFLICT (id) DO NOTHING RETURNING id
    ), ${tables}
    ${totals}`;
  return { text, name: `request-log-settle-${hash('sha256', text).slice(0, 8)}` };
}

/** Settles charges of quotas apart from the rows of their requests. */
export class ChargeStore {
  private readonly database: Pick<DatabaseHandle, 'logPool' | 'quotedSchema'>;
  private canPrepare = true;

  constructor(database: Pick<DatabaseHandle, 'logPool' | 'quotedSchema'>) {
    this.database = database;
  }

  /**
   * @param batchId the charges of a batch are settled once
   * @returns what was used of each quota by all replicas
   */
  async settle(batchId: string, charges: readonly QuotaCharge[]): Promise<QuotaTotal[]> {
    const columns = new ChargeColumns();
    for (const charge of charges) columns.push(charge);
    const { text, name } = statementOf(this.database.quotedSchema);
    const values = [batchId, ...columns.toLiterals()];
    try {
      const query = this.database.logPool.query<QuotaTotal>({ text, values, ...(this.canPrepare && { name }) });
      return (await withDeadline(query, deadlineMs)).rows;
    } catch (error) {
      if (!isPreparedStatementError(error) || !this.canPrepare) throw error;
      this.canPrepare = false;
      return this.settle(batchId, charges);
    }
  }
}
