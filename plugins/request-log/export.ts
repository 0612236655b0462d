import { stringify } from 'csv-stringify/sync';
import type { Prisma, PrismaClient, RequestLog } from '../prisma/generated/client.js';

const columns = [
  'id',
  'createdAt',
  'method',
  'path',
  'statusCode',
  'duration',
  'ip',
  'userAgent',
  'apiKeyId',
  'route',
] as const;

export const exportFormats = {
  ndjson: {
    type: 'application/x-ndjson',
    head: '',
    linesOf: (rows: RequestLog[]) => rows.map((row) => `${JSON.stringify(row, [...columns])}\n`).join(''),
  },
  csv: {
    type: 'text/csv; charset=utf-8',
    head: `${columns.join(',')}\n`,
    // A user agent is anybody's text: none may be a formula in the spreadsheet that opens it.
    linesOf: (rows: RequestLog[]) =>
      stringify(rows, {
        columns: [...columns],
        escape_formulas: true,
        cast: { date: (time) => time.toISOString() },
      }),
  },
};
export type ExportFormat = keyof typeof exportFormats;

const rowsAtATime = 1_000;

/** Reads the rows that there are when it begins, oldest first, and never more than one page ahead of whoever takes it. */
export async function* pagesOf(
  prisma: PrismaClient,
  conditions: Prisma.RequestLogWhereInput,
): AsyncGenerator<RequestLog[], undefined> {
  const newest = await prisma.requestLog.findFirst({ orderBy: { id: 'desc' }, select: { id: true } });
  if (newest === null) return undefined;
  let last: string | undefined;
  for (;;) {
    const rows: RequestLog[] = await prisma.requestLog.findMany({
      where: { AND: [conditions, { id: { lte: newest.id, ...(last && { gt: last }) } }] },
      orderBy: { id: 'asc' },
      take: rowsAtATime,
    });
    last = rows.at(-1)?.id;
    if (!last) return undefined;
    yield rows;
  }
}

/** The text of the file, a part for each page. */
export async function* textOf(format: ExportFormat, pages: AsyncIterable<RequestLog[]>): AsyncGenerator<string> {
  const { head, linesOf } = exportFormats[format];
  yield head;
  for await (const rows of pages) yield linesOf(rows);
}
