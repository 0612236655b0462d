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

type DatabaseError = Error & { code?: string; constraint?: string };

/** A row that is on its way to the table for strays while its day gets a table of its own breaks a rule without a name. */
function isRerouted({ code, constraint }: DatabaseError): boolean {
  return code === '23514' && constraint === undefined;
}

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
   * @param wasRerouted whether their day has just been made, so that the next statement finds its table
   * @returns those that the database refuses for what they are; they are in the log, and the others are stored
   * @throws whatever else the database threw; some of the records may be stored
   */
  async store(records: readonly RequestRecord[], maybeStored: boolean, wasRerouted = false): Promise<RequestRecord[]> {
    try {
      const query = insertOf(records, maybeStored ? 'again' : this.prepares ? 'prepared' : 'unprepared');
      await withDeadline(this.database.pool.query(query), deadlineMs);
      return [];
    } catch (caught) {
      const error = caught as DatabaseError;
      if (losesPreparedStatements(error)) {
        this.prepares = false;
        return this.store(records, true);
      }
      if (isRerouted(error) && !wasRerouted) return this.store(records, true, true);
      const { code = '', message } = error;
      if (!dataErrors.test(code) || isRerouted(error)) throw error;
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
