import type { DatabaseHandle } from '../../../database/index.js';
import type { Prisma, PrismaClient } from '../../../prisma/generated/client.js';
import type { RequestLogRow } from '../../row.js';

const pageRows = 1_000;
/** The partial index of the migration request_stats has only rows with at least this duration. */
const minIndexedDurationMs = 500;

type Log = PrismaClient['requestLog'];

/** @see RequestLogReader.slowest */
export async function readSlowest(log: Log, where: Prisma.RequestLogWhereInput, limit: number, isShort: boolean) {
  const read = (where: Prisma.RequestLogWhereInput) =>
    log.findMany({ where, orderBy: [{ duration: 'desc' }, { id: 'desc' }], take: limit });
  const slow = await read({ AND: [where, { duration: { gte: minIndexedDurationMs } }] });
  return slow.length === limit || !isShort ? slow : read(where);
}

/** @see RequestLogReader.pages */
export async function* readPages(
  log: Log,
  where: Prisma.RequestLogWhereInput,
): AsyncGenerator<RequestLogRow[], undefined> {
  const newest = await log.findFirst({ orderBy: { id: 'desc' }, select: { id: true } });
  if (newest === null) return undefined;
  let last: string | undefined;
  for (;;) {
    const rows: RequestLogRow[] = await log.findMany({
      where: { AND: [where, { id: { lte: newest.id, ...(last && { gt: last }) } }] },
      orderBy: { id: 'asc' },
      take: pageRows,
    });
    last = rows.at(-1)?.id;
    if (!last) return undefined;
    yield rows;
  }
}

/** The first and last id that match. */
export async function readEdges(log: Log, where: Prisma.RequestLogWhereInput) {
  const edge = (order: 'asc' | 'desc') => log.findFirst({ where, orderBy: { id: order }, select: { id: true } });
  const [first, last] = [await edge('asc'), await edge('desc')];
  return first && last && { first: first.id, last: last.id };
}

/** Returns which of these ids the log has. */
export async function storedIds(
  { pool, quotedSchema }: Pick<DatabaseHandle, 'pool' | 'quotedSchema'>,
  ids: readonly string[],
): Promise<Set<string>> {
  const { rows } = await pool.query<{ id: string }>(`SELECT id FROM ${quotedSchema}.request_logs WHERE id = ANY($1)`, [
    ids,
  ]);
  return new Set(rows.map(({ id }) => id));
}
