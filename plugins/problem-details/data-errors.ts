import type { Problem } from './schema.js';

/** A problem with the data of a request that the database reports. */
export type DataProblem = Pick<Problem, 'status' | 'code' | 'detail'> & { fields: string[] };

interface DatabaseError {
  name?: string;
  code?: string;
  message?: string;
  /** `pg`: the column, and a detail such as `Key (email)=(x) already exists.` */
  column?: string;
  detail?: string;
  meta?: {
    target?: unknown;
    column_name?: unknown;
    driverAdapterError?: {
      cause?: {
        originalCode?: string;
        originalMessage?: string;
        constraint?: { fields?: string[]; index?: string };
        table?: string;
        column?: string;
      };
    };
  };
}

type Kind = [status: number, code: string, detail: string];
const missing: Kind = [404, 'RECORD_NOT_FOUND', 'there is no such record'];
const duplicate: Kind = [409, 'DUPLICATE', 'a record with the same value exists already'];
const reference: Kind = [
  409,
  'REFERENCE_CONFLICT',
  'a record refers to another one that does not exist, or is still referred to',
];
const required: Kind = [400, 'INVALID_DATA', 'a value is required'];
const invalid: Kind = [400, 'INVALID_DATA', 'a value does not fit its field'];

/** @see https://www.prisma.io/docs/orm/reference/error-reference */
const byPrismaCode: Record<string, Kind> = {
  ...{ P2000: invalid, P2005: invalid, P2006: invalid, P2007: invalid, P2019: invalid, P2020: invalid, P2033: invalid },
  ...{ P2004: invalid, P2009: invalid, P2011: required, P2012: required, P2013: required },
  ...{ P2001: missing, P2015: missing, P2018: missing, P2025: missing },
  ...{ P2002: duplicate, P2003: reference, P2014: reference, P2017: reference },
};

/** @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
function kindOfSqlState(code: string): Kind | undefined {
  if (code === '23505' || code === '23P01') return duplicate;
  if (code === '23503' || code === '23001') return reference;
  if (code === '23502') return required;
  if (code === '23514' || /^22...$/.test(code)) return invalid;
  return undefined;
}

/**
 * Maps an error of Prisma or `pg` about the data of a request to a problem: a missing record, a duplicate, a broken reference, or a
 * value that does not fit.
 *
 * @returns undefined for other errors
 */
export function dataProblemOf(error: unknown): DataProblem | undefined {
  const databaseError = Object(error) as DatabaseError;
  const { name = '', code = '', meta } = databaseError;
  const sqlState = meta?.driverAdapterError?.cause?.originalCode ?? code;
  const isValidation = name === 'PrismaClientValidationError';
  const isPrisma = name.startsWith('PrismaClient');
  const kind = isValidation ? invalid : (isPrisma && byPrismaCode[code]) || kindOfSqlState(sqlState);
  if (!kind) return undefined;
  const [status, problemCode, detail] = kind;
  return { status, code: problemCode, detail, fields: fieldsOf(databaseError) };
}

function fieldsOf({ message = '', column, detail = '', meta }: DatabaseError): string[] {
  const { constraint, table, originalMessage = '', column: causeColumn } = meta?.driverAdapterError?.cause ?? {};
  const named =
    constraint?.fields ??
    [meta?.target, meta?.column_name, column, causeColumn].flat().filter((one) => one !== undefined);
  if (named.length > 0) return named.map((one) => String(one).replace(/^"|"$/g, ''));
  // PostgreSQL names the index of a unique column after table and column.
  const { index } = constraint ?? {};
  if (index && table && index.startsWith(`${table}_`) && index.endsWith('_key'))
    return [index.slice(table.length + 1, -'_key'.length)];
  const [, keys] = /^Key \(([^)]+)\)/.exec(detail || originalMessage) ?? [];
  if (keys) return keys.split(', ').map((key) => key.replace(/^"|"$/g, ''));
  // Prisma's validation errors name the argument in the message; the rest of it repeats the query, which is private.
  const [, argument] = /(?:Unknown argument|Argument|Unknown field) `([\w.]+)`/.exec(message) ?? [];
  return argument ? [argument] : [];
}
