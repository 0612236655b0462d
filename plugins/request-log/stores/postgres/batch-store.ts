import type { FastifyBaseLogger } from 'fastify';
import { withDeadline } from '../../../database/deadline.js';
import type { DatabaseHandle } from '../../../database/index.js';
import type { QuotaCounter, QuotaTotal } from '../../../limits/quota-counter.js';
import type { RequestRecord } from '../../record.js';
import { insertOf, isPreparedStatementError } from './insert.js';

const deadlineMs = 15_000;

/**
 * SQLSTATE classes of errors in the data: a value does not fit its column, or violates a constraint.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const dataErrors = /^(22|23|54)/;

type DatabaseError = Error & { code?: string; constraint?: string };

/** How an insert into the default partition fails while the partition for its day is created: without a constraint name. */
function isRerouted({ code, constraint }: DatabaseError): boolean {
  return code === '23514' && constraint === undefined;
}

/** Writes batches to the database. */
export class BatchStore {
  private canPrepare = true;
  private readonly database: DatabaseHandle;
  private readonly log: FastifyBaseLogger;
  private readonly quotas: Pick<QuotaCounter, 'settle'>;

  /** @param quotas called with the charges of each committed batch */
  constructor(
    database: DatabaseHandle,
    log: FastifyBaseLogger,
    quotas: Pick<QuotaCounter, 'settle'> = { settle() {} },
  ) {
    this.database = database;
    this.log = log;
    this.quotas = quotas;
  }

  /**
   * @param isReroutedRetry whether this is the retry after the partition for their day was created
   * @see RequestLogStore.write
   */
  async write(
    records: readonly RequestRecord[],
    hasPossibleDuplicates: boolean,
    isReroutedRetry = false,
  ): Promise<RequestRecord[]> {
    try {
      const { logPool, quotedSchema } = this.database;
      const mode = hasPossibleDuplicates ? 'skipExisting' : this.canPrepare ? 'prepared' : 'unprepared';
      const query = logPool.query<QuotaTotal>(insertOf(records, mode, quotedSchema));
      const result = await withDeadline(query, deadlineMs);
      const charges = records.flatMap(({ charges }) => charges);
      if (charges.length > 0) this.quotas.settle(charges, result.rows);
      return [];
    } catch (caught) {
      const error = caught as DatabaseError;
      if (isPreparedStatementError(error)) {
        this.canPrepare = false;
        return this.write(records, true);
      }
      if (isRerouted(error) && !isReroutedRetry) return this.write(records, true, true);
      const { code = '', message } = error;
      if (!dataErrors.test(code) || isRerouted(error)) throw error;
      if (records.length === 1 && hasPossibleDuplicates) {
        this.log.error({ id: records[0]?.id, code, reason: message }, 'request log: the database rejects a record');
        return [...records];
      }
      const middle = Math.ceil(records.length / 2);
      const halves = [records.slice(0, middle), records.slice(middle)].filter((half) => half.length > 0);
      const rejected: RequestRecord[] = [];
      for (const half of halves) rejected.push(...(await this.write(half, true)));
      return rejected;
    }
  }
}
