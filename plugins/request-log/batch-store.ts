import type { FastifyBaseLogger } from 'fastify';
import { withDeadline } from '../database/deadline.js';
import type { DatabaseHandle } from '../database/index.js';
import { insertOf, losesPreparedStatements } from './insert.js';
import type { RequestRecord } from './record.js';

/** What one statement takes. */
export const maxBatchRows = 5_000;

const deadlineMs = 15_000;

/**
 * Classes of errors that are about the data: it does not fit its column, or breaks a rule of the table.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const dataErrors = /^(22|23|54)/;

/** Puts batches into the database. */
export class BatchStore {
  private prepares = true;
  private readonly database: DatabaseHandle;
  private readonly log: FastifyBaseLogger;

  constructor(database: DatabaseHandle, log: FastifyBaseLogger) {
    this.database = database;
    this.log = log;
  }

  /**
   * Stores records, at most `maxBatchRows`; when it resolves the database has confirmed them.
   *
   * @param maybeStored whether some may have been stored before, without anybody hearing of it
   * @returns those that the database refuses for what they are; they are in the log, and the others are stored
   * @throws whatever else the database threw; some of the records may be stored
   */
  async store(records: readonly RequestRecord[], maybeStored: boolean): Promise<RequestRecord[]> {
    try {
      const query = insertOf(records, maybeStored ? 'again' : this.prepares ? 'prepared' : 'unprepared');
      await withDeadline(this.database.pool.query(query), deadlineMs);
      return [];
    } catch (error) {
      if (losesPreparedStatements(error)) {
        this.prepares = false;
        return this.store(records, true);
      }
      const { code = '', message } = error as { code?: string; message: string };
      if (!dataErrors.test(code)) throw error;
      if (records.length === 1 && maybeStored) {
        this.log.error({ id: records[0]?.id, code, reason: message }, 'request log: the database refuses a record');
        return [...records];
      }
      const middle = Math.ceil(records.length / 2);
      const halves = [records.slice(0, middle), records.slice(middle)].filter((half) => half.length > 0);
      const refused: RequestRecord[] = [];
      for (const half of halves) refused.push(...(await this.store(half, true)));
      return refused;
    }
  }
}
