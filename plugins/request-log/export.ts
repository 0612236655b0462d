import { stringify } from 'csv-stringify/sync';
import type { RequestLogRow } from './row.js';

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
    linesOf: (rows: RequestLogRow[]) => rows.map((row) => `${JSON.stringify(pick(row))}\n`).join(''),
  },
  csv: {
    type: 'text/csv; charset=utf-8',
    head: `${columns.join(',')}\n`,
    // Clients control the user agent: it must not become a formula in a spreadsheet, whatever separator that uses.
    linesOf: (rows: RequestLogRow[]) =>
      stringify(rows.map(textRowOf), {
        columns: [...columns],
        escape_formulas: true,
        cast: { date: (time) => time.toISOString(), string: withoutFormulas },
      }),
  },
};
/** The columns of a row, in order. */
function pick(row: RequestLogRow) {
  return Object.fromEntries(columns.map((name) => [name, row[name]]));
}

function textRowOf({ verification, ...row }: RequestLogRow) {
  return { ...row, verification: verification && JSON.stringify(verification) };
}

export type ExportFormat = keyof typeof exportFormats;

/** The text of the file, one chunk for each page. */
export async function* textOf(format: ExportFormat, pages: AsyncIterable<RequestLogRow[]>): AsyncGenerator<string> {
  const { head, linesOf } = exportFormats[format];
  yield head;
  for await (const rows of pages) yield linesOf(rows);
}
