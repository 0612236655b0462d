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
  'outcome',
  'ownerId',
  'verifiedApiKeyId',
  'verification',
  'traceId',
] as const;

/** A separator of cells, followed by the first character of a formula. */
const separators = ';|\t\r\n';
const formulaStarts = '=+-@';

/** Puts a quote before each formula that follows another separator. In linear time: clients control the text. */
function withoutFormulas(text: string): string {
  let result = '';
  let isCellStart = false;
  for (const character of text) {
    if (isCellStart && formulaStarts.includes(character)) result += "'";
    isCellStart = separators.includes(character) || (isCellStart && character.trim() === '');
    result += character;
  }
  return result;
}

export const exportFormats = {
  ndjson: {
    type: 'application/x-ndjson',
    head: '',
    linesOf: (rows: RequestLog[]) => rows.map((row) => `${JSON.stringify(pick(row))}\n`).join(''),
  },
  csv: {
    type: 'text/csv; charset=utf-8',
    head: `${columns.join(',')}\n`,
    // Clients control the user agent: it must not become a formula in a spreadsheet, whatever separator that uses.
    linesOf: (rows: RequestLog[]) =>
      stringify(rows.map(textRowOf), {
        columns: [...columns],
        escape_formulas: true,
        cast: { date: (time) => time.toISOString(), string: withoutFormulas },
      }),
  },
};
/** The columns of a row, in order. */
function pick(row: RequestLog) {
  return Object.fromEntries(columns.map((name) => [name, row[name]]));
}

function textRowOf({ verification, ...row }: RequestLog) {
  return { ...row, verification: verification && JSON.stringify(verification) };
}

export type ExportFormat = keyof typeof exportFormats;

const pageRows = 1_000;

/** Reads the rows that exist at the start, oldest first, and at most one page ahead of the reader. */
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
      take: pageRows,
    });
    last = rows.at(-1)?.id;
    if (!last) return undefined;
    yield rows;
  }
}

/** The text of the file, one chunk for each page. */
export async function* textOf(format: ExportFormat, pages: AsyncIterable<RequestLog[]>): AsyncGenerator<string> {
  const { head, linesOf } = exportFormats[format];
  yield head;
  for await (const rows of pages) yield linesOf(rows);
}
