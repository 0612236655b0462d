import { type Static, Type } from '@sinclair/typebox';
import { type ExportFormat, exportFormats } from '../plugins/request-log/export.js';
import { firstIdAt } from '../plugins/request-log/record.js';
import { GivenTimestamp, Id, lineOfText, listOf, nullable, Timestamp } from './fields.js';

const example = {
  id: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07',
  method: 'GET',
  path: '/v1/me',
  statusCode: 200,
  duration: 3,
  ip: '203.0.113.7',
  userAgent: 'curl/8.5.0',
  apiKeyId: '019b8a11-5d20-7b0c-a1c4-0e8f7d6b5a49',
  createdAt: '2026-01-31T09:30:00.000Z',
  route: '/v1/me',
};

/** A row, as an answer has it. */
export const RequestLogEntry = Type.Object(
  {
    id: Type.String({ description: 'The x-request-id of the answer' }),
    method: Type.String(),
    path: Type.String({ description: 'Without the query string' }),
    statusCode: Type.Integer({ description: '499: the client went away before the answer' }),
    duration: Type.Integer({ description: 'Milliseconds' }),
    ip: Type.String(),
    userAgent: nullable(Type.String()),
    apiKeyId: nullable(Type.String(), { description: 'The calling key' }),
    createdAt: Timestamp,
    route: nullable(Type.String(), {
      description:
        'The template of the path; empty where no route matched, null if logged by a version that did not keep it',
    }),
  },
  { description: 'The request', examples: [example] },
);
export type RequestLogEntry = Static<typeof RequestLogEntry>;
export const RequestLogEntries = listOf(RequestLogEntry, example);

/** A file of one entry, to show what one looks like. */
export function exampleFile(format: ExportFormat): string {
  const { head, linesOf } = exportFormats[format];
  return head + linesOf([{ ...example, createdAt: new Date(example.createdAt) }]);
}

/** Which requests: those that fit all of what is given. */
export const requestLogFilter = {
  from: Type.Optional({ ...GivenTimestamp, description: 'Arrived then or later' }),
  to: Type.Optional({ ...GivenTimestamp, description: 'Arrived before' }),
  method: Type.Optional(Type.String({ pattern: '^[A-Z-]{1,32}$', examples: ['GET'] })),
  path: Type.Optional(
    Type.String({
      maxLength: 1024,
      pattern: lineOfText,
      description: 'Without the query string',
      examples: ['/v1/me'],
    }),
  ),
  route: Type.Optional(
    Type.String({
      maxLength: 1024,
      pattern: lineOfText,
      description: 'The template of the path, empty for requests that no route matched',
      examples: ['/v1/api-keys/:id'],
    }),
  ),
  statusCode: Type.Optional(Type.Integer({ minimum: 100, maximum: 599, examples: [500] })),
  minDuration: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1, description: 'Milliseconds, at least', examples: [1_000] }),
  ),
  apiKeyId: Type.Optional({ ...Id, description: 'The calling key' }),
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
  const { from, to, method, path, route, statusCode, minDuration, apiKeyId } = filter;
  const end = [before, to && firstIdAt(new Date(to))].filter((id) => id !== undefined).sort()[0];
  return {
    id: { ...(from && { gte: firstIdAt(new Date(from)) }), ...(end && { lt: end }) },
    ...(method && { method }),
    ...(path && { path }),
    ...(route !== undefined && { route }),
    ...(statusCode && { statusCode }),
    ...(minDuration && { duration: { gte: minDuration } }),
    ...(apiKeyId && { apiKeyId }),
  };
}
