import type { FastifyBaseLogger } from 'fastify';
import { withDeadline } from '../../../database/deadline.js';
import type { DatabaseHandle } from '../../../database/index.js';
import type { QuotaCounter, QuotaTotal } from '../../../limits/quota-counter.js';
import type { Batch } from '../../batch.js';
import type { RequestRecord } from '../../record.js';
import { halvesOf } from '../divide.js';
import { insertOf, isPreparedStatementError } from './insert.js';

const deadlineMs = 15_000;

/**
 * SQLSTATE classes of errors in the data: a value does not fit its column, or violates a constraint.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const dataErrors = /^(22|23|54)/;

type DatabaseError = Error & { code?: string; constraint?: string };

const uniqueViolation = '23505';

/** How an insert into the default partition fails while the partition for its day is created: without a constraint name. */
function isRerouted({ code, constraint }: DatabaseError): boolean {
  return code === '23514' && constraint === undefined;
}

type BatchDatabase = Pick<DatabaseHandle, 'logPool' | 'quotedSchema'>;

/** Writes batches to the database. */
export class BatchStore {
  private canPrepare = true;
  private readonly database: BatchDatabase;
  private readonly log: FastifyBaseLogger;
  private readonly quotas: Pick<QuotaCounter, 'settle'>;

  /** @param quotas called with the charges of each committed batch */
  constructor(database: BatchDatabase, log: FastifyBaseLogger, quotas: Pick<QuotaCounter, 'settle'> = { settle() {} }) {
    this.database = database;
    this.log = log;
    this.quotas = quotas;
  }

  /**
   * @param isRetry whether it has failed before because another process was creating a partition, or writing the same batch
   * @see RequestLogStore.write
   */
  async write(batch: Batch, isRetry = false): Promise<RequestRecord[]> {
    const { records } = batch;
    const id = records.length === 1 ? (records[0]?.id ?? null) : batch.id;
    try {
      const { logPool, quotedSchema } = this.database;
      const mode = this.canPrepare ? 'prepared' : 'unprepared';
      const query = logPool.query<QuotaTotal>(insertOf(records, mode, quotedSchema, id));
      const result = await withDeadline(query, deadlineMs);
      const charges = records.flatMap(({ charges }) => charges);
      if (charges.length > 0) this.quotas.settle(charges, result.rows);
      return [];
    } catch (caught) {
      const error = caught as DatabaseError;
      if (isPreparedStatementError(error)) {
        this.canPrepare = false;
        return this.write(batch);
      }
      const { code = '', message } = error;
      if ((isRerouted(error) || code === uniqueViolation) && !isRetry) return this.write(batch, true);
      if (!dataErrors.test(code) || isRerouted(error)) throw error;
      if (records.length === 1) {
        this.log.error({ id: records[0]?.id, code, reason: message }, 'request log: the database rejects a record');
        return [...records];
      }
      const rejected: RequestRecord[] = [];
      for (const half of halvesOf(batch, code === uniqueViolation)) rejected.push(...(await this.write(half)));
      return rejected;
    }
  }
}
