import type { RequestLogFilter } from '../../filter.js';
import type { RequestLogRow } from '../../row.js';
import type { ClickHouse } from './client.js';
import { type Condition, conditionOf } from './conditions.js';

const pageRows = 1_000;
/** As in PostgreSQL, where rows with this duration are indexed. */
const slowMs = 500;

const byIdDescending = 'UUIDToNum(id) DESC';

type StoredRow = Omit<RequestLogRow, 'createdAt' | 'verification'> & {
  createdAtMs: number;
  checkedOwnerId: string;
  verification: string;
};

const columns = `id, toUnixTimestamp64Milli(createdAt) AS createdAtMs, method, path, statusCode, duration, ip, userAgent, apiKeyId,
  route, outcome, checkedOwnerId, verifiedApiKeyId, verification, traceId`;

/** The log stores null as an empty text, except for user agents. */
function rowOf(row: StoredRow): RequestLogRow {
  const { id, method, path, statusCode, duration, ip, userAgent, route } = row;
  return {
    ...{ id, createdAt: new Date(row.createdAtMs), method, path, statusCode, duration, ip, userAgent },
    ...{ apiKeyId: row.apiKeyId || null, route, outcome: row.outcome || null, ownerId: row.checkedOwnerId || null },
    verifiedApiKeyId: row.verifiedApiKeyId || null,
    verification: row.verification === '' ? null : JSON.parse(row.verification),
    traceId: row.traceId || null,
  };
}

export async function readRows(
  clickHouse: ClickHouse,
  { text, parameters }: Condition,
  order: string,
  limit: number,
): Promise<RequestLogRow[]> {
  const rows = await clickHouse.rows<StoredRow>(
    `SELECT ${columns} FROM request_logs WHERE ${text} ORDER BY ${order} LIMIT ${limit}`,
    parameters,
  );
  return rows.map(rowOf);
}

/** @see RequestLogReader.page */
export function readPage(clickHouse: ClickHouse, filter: RequestLogFilter, limit: number, before?: string) {
  return readRows(clickHouse, conditionOf(filter, before), byIdDescending, limit);
}

/** @see RequestLogReader.slowest */
export async function readSlowest(clickHouse: ClickHouse, filter: RequestLogFilter, limit: number, isShort: boolean) {
  const { text, parameters } = conditionOf(filter);
  const order = `duration DESC, ${byIdDescending}`;
  const slow = await readRows(clickHouse, { text: `${text} AND duration >= ${slowMs}`, parameters }, order, limit);
  return slow.length === limit || !isShort ? slow : readRows(clickHouse, { text, parameters }, order, limit);
}

export async function readRow(clickHouse: ClickHouse, id: string): Promise<RequestLogRow | null> {
  const [row = null] = await readRows(
    clickHouse,
    { text: 'UUIDToNum(id) = UUIDStringToNum({id:String})', parameters: { id } },
    byIdDescending,
    1,
  );
  return row;
}

/** @see RequestLogReader.pages */
export async function* readPages(
  clickHouse: ClickHouse,
  filter: RequestLogFilter,
): AsyncGenerator<RequestLogRow[], undefined> {
  const [newest] = await readPage(clickHouse, {}, 1);
  if (newest === undefined) return undefined;
  const { text, parameters } = conditionOf(filter);
  const upToNewest = `${text} AND UUIDToNum(id) <= UUIDStringToNum({newest:String})`;
  let last: string | undefined;
  for (;;) {
    const rows = await readRows(
      clickHouse,
      {
        text: last === undefined ? upToNewest : `${upToNewest} AND UUIDToNum(id) > UUIDStringToNum({last:String})`,
        parameters: { ...parameters, newest: newest.id, ...(last !== undefined && { last }) },
      },
      'UUIDToNum(id)',
      pageRows,
    );
    last = rows.at(-1)?.id;
    if (last === undefined) return undefined;
    yield rows;
  }
}

/** @see RequestLogReader.edges */
export async function readEdges(clickHouse: ClickHouse, range: Pick<RequestLogFilter, 'from' | 'to'>) {
  const condition = conditionOf(range);
  const [[first], [last]] = (await Promise.all(
    ['UUIDToNum(id)', byIdDescending].map((order) => readRows(clickHouse, condition, order, 1)),
  )) as [RequestLogRow[], RequestLogRow[]];
  return first && last ? { first: first.id, last: last.id } : null;
}
