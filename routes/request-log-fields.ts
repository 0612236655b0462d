import { type Static, Type } from '@sinclair/typebox';
import { type ExportFormat, exportFormats } from '../plugins/request-log/export.js';
import { firstIdAt } from '../plugins/request-log/record.js';
import { GivenTimestamp, Id, lineOfText, Timestamp } from './fields.js';

/** A row, as an answer has it. */
export const RequestLogEntry = Type.Object({
  id: Type.String({ description: 'The x-request-id of the answer' }),
  method: Type.String(),
  path: Type.String({ description: 'Without the query string' }),
  statusCode: Type.Integer({ description: '499: the client went away before the answer' }),
  duration: Type.Integer({ description: 'Milliseconds' }),
  ip: Type.String(),
  userAgent: Type.Union([Type.String(), Type.Null()]),
  apiKeyId: Type.Union([Type.String(), Type.Null()], { description: 'The calling key' }),
  createdAt: Timestamp,
});

/** Which requests: those that fit all of what is given. */
export const requestLogFilter = {
  from: Type.Optional(GivenTimestamp),
  to: Type.Optional(GivenTimestamp),
  method: Type.Optional(Type.String({ pattern: '^[A-Z-]{1,32}$' })),
  path: Type.Optional(Type.String({ maxLength: 1024, pattern: lineOfText })),
  statusCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
  minDuration: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1, description: 'Milliseconds' })),
  apiKeyId: Type.Optional(Id),
};
const Filter = Type.Object(requestLogFilter);
export type RequestLogFilter = Static<typeof Filter>;

/** Which requests as a file, and of which kind. */
export const RequestLogExport = Type.Object(
  {
    format: Type.Unsafe<ExportFormat>({ type: 'string', enum: Object.keys(exportFormats) }),
    ...requestLogFilter,
  },
  { additionalProperties: false },
);
export type RequestLogExport = Static<typeof RequestLogExport>;

/**
 * What to ask the database. Ids begin with the time, so a range of time is a range of the primary key: `from` counts, `to`
 * does not.
 *
 * @param before only ids lower than this one
 */
export function conditionsOf(filter: RequestLogFilter, before?: string) {
  const { from, to, method, path, statusCode, minDuration, apiKeyId } = filter;
  const end = [before, to && firstIdAt(new Date(to))].filter((id) => id !== undefined).sort()[0];
  return {
    id: { ...(from && { gte: firstIdAt(new Date(from)) }), ...(end && { lt: end }) },
    ...(method && { method }),
    ...(path && { path }),
    ...(statusCode && { statusCode }),
    ...(minDuration && { duration: { gte: minDuration } }),
    ...(apiKeyId && { apiKeyId }),
  };
}
