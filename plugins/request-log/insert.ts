import type { QueryConfig } from 'pg';
import { arrivalOf, type RequestRecord } from './record.js';

/** One statement for any number of rows. The time of arrival is the one in the id. */
const insert = `
  INSERT INTO request_logs (id, method, path, "statusCode", duration, ip, "userAgent", "apiKeyId", "createdAt")
  SELECT id, method, path, status, duration, ip, agent, key_id, timestamp 'epoch' + arrived * interval '1 millisecond'
  FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[], $9::bigint[])
    AS batch (id, method, path, status, duration, ip, agent, key_id, arrived)`;

/**
 * A batch that is sent again may have arrived before, without anybody hearing of it: rows that are there stay as they
 * are. To be ready for that costs PostgreSQL a quarter more, so the first time it is not.
 */
const statements = {
  prepared: { name: 'request-log-insert', text: insert },
  unprepared: { text: insert },
  again: { text: `${insert}\n  ON CONFLICT (id) DO NOTHING` },
};

/** How long the server may take, in milliseconds, before the batch is tried again on another connection. */
const deadlineMs = 10_000;

/**
 * The query that stores `records`. Its arrays are written out by hand, which costs a third of what `pg` takes for it.
 *
 * @param how `prepared` once a connection, for a batch that has not been sent before; `unprepared` where connections do
 *   not keep what they have prepared; `again` for one that may have been sent before
 */
export function insertOf(
  records: readonly RequestRecord[],
  how: keyof typeof statements,
): QueryConfig & { query_timeout: number } {
  const ids: string[] = [];
  const methods: string[] = [];
  const paths = new TextColumn();
  const statuses: number[] = [];
  const durations: number[] = [];
  const ips = new TextColumn();
  const agents = new TextColumn();
  const keyIds = new TextColumn();
  const arrivals: number[] = [];
  for (const record of records) {
    ids.push(record.id);
    methods.push(record.method);
    paths.push(record.path);
    statuses.push(record.statusCode);
    durations.push(Math.round(record.durationMs));
    ips.push(record.ip);
    agents.push(record.userAgent);
    keyIds.push(record.apiKeyId);
    arrivals.push(arrivalOf(record.id));
  }
  const plain = [ids, methods].map(arrayLiteral);
  return {
    ...statements[how],
    values: [
      ...plain,
      paths.toLiteral(),
      arrayLiteral(statuses),
      arrayLiteral(durations),
      ips.toLiteral(),
      agents.toLiteral(),
      keyIds.toLiteral(),
      arrayLiteral(arrivals),
    ],
    query_timeout: deadlineMs,
  };
}

/**
 * Whether an error says that the connection is another one than before, as behind a pooler in transaction mode: a
 * statement that was prepared is not there, or one is that was not.
 */
export function losesPreparedStatements(error: unknown): boolean {
  return ['26000', '42P05'].includes(String((error as { code?: unknown }).code));
}

/** An array literal of what needs no quotes: numbers, UUIDs, HTTP methods. */
function arrayLiteral(items: readonly (string | number)[]): string {
  return `{${items.join(',')}}`;
}

/** An array literal of any text. Neighbouring rows often have the same one, so the last is remembered. */
class TextColumn {
  private readonly items: string[] = [];
  private last: string | null = null;
  private lastQuoted = 'NULL';

  push(text: string | null) {
    if (text !== this.last) {
      this.last = text;
      this.lastQuoted = text === null ? 'NULL' : quote(text);
    }
    this.items.push(this.lastQuoted);
  }

  toLiteral() {
    return arrayLiteral(this.items);
  }
}

/** PostgreSQL's text has no NUL, and an array literal escapes quotes and backslashes. */
function quote(text: string): string {
  return `"${text.replace(/\0/g, '').replace(/["\\]/g, '\\$&')}"`;
}
