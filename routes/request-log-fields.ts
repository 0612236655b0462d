import { type Static, Type } from '@sinclair/typebox';
import { ownerIdPattern } from '../plugins/api-keys/key-fields.js';
import { type ExportFormat, exportFormats } from '../plugins/request-log/export.js';
import { described, Id, lineOfText, listOf, nullable, Timestamp, TimestampInput } from './fields.js';

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
  outcome: 'VALID',
  ownerId: 'customer-4711',
  verifiedApiKeyId: null,
  verification: null,
  traceId: '0af7651916cd43dd8448eb211c80319c',
};

/** A row of the request log, in a response. */
export const RequestLogEntry = Type.Object(
  {
    id: Type.String({ description: 'The x-request-id of the response' }),
    method: Type.String(),
    path: Type.String({ description: 'Without the query string' }),
    statusCode: Type.Integer({ description: '499: the client disconnected before the response' }),
    duration: Type.Integer({ description: 'Milliseconds' }),
    ip: Type.String(),
    userAgent: nullable(Type.String()),
    apiKeyId: nullable(Type.String(), { description: 'The key of the request, if it exists' }),
    createdAt: Timestamp,
    route: nullable(Type.String(), {
      description: 'The template of the path; empty when no route matched, null in rows of older versions',
    }),
    outcome: nullable(Type.String(), {
      description: 'The result of the check of the key; of the verified key in rows of verifications',
    }),
    ownerId: nullable(Type.String(), { description: 'The owner of that key at the time of the request' }),
    verifiedApiKeyId: nullable(Type.String(), { description: 'The key that the request verified' }),
    verification: Type.Unsafe<unknown>({
      type: ['object', 'null'],
      additionalProperties: true,
      description: 'What the caller of a verification knew of its client: `ip`, `method`, `path`, `tags`',
    }),
    traceId: nullable(Type.String(), { description: 'The trace of the `traceparent` of the request, if it was valid' }),
  },
  { description: 'The request', examples: [example] },
);
export type RequestLogEntry = Static<typeof RequestLogEntry>;
export const RequestLogEntries = listOf(RequestLogEntry, example);

/** An example of a file, with one entry. */
export function exampleFile(format: ExportFormat): string {
  const { head, linesOf } = exportFormats[format];
  return head + linesOf([{ ...example, createdAt: new Date(example.createdAt) }]);
}

/** A status, or a range of statuses. */
export const StatusFilter = Type.Unsafe<number | string>({
  anyOf: [
    { type: 'integer', minimum: 100, maximum: 599 },
    { type: 'string', pattern: '^([1-5]xx|[<>]=[1-5]\\d\\d)$' },
  ],
  description: 'A status such as 500, a class such as `5xx`, or a bound such as `>=400`',
  examples: ['5xx'],
});

export const ExcludeManagement = Type.Boolean({
  description:
    'Leaves out `GET` requests for the dashboard, and for what it shows: keys, owners, usage, events, the log, its statistics and `/health`',
});

/** The filters of the request log. A request must match all of them. */
export const requestLogFilter = {
  from: Type.Optional(described(TimestampInput, 'Arrived at this time or later')),
  to: Type.Optional(described(TimestampInput, 'Arrived before this time')),
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
      description: 'The template of the path; empty for requests that no route matched',
      examples: ['/v1/api-keys/:id'],
    }),
  ),
  pathPrefix: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 1024,
      pattern: lineOfText,
      description: 'The path begins with it',
      examples: ['/v1/orders/'],
    }),
  ),
  pathPart: Type.Optional(
    Type.String({
      pattern: lineOfText.replace('*', '{3,200}'),
      description:
        'A part of the path, at least 3 characters. Use it with `from` or `to`: it reads all rows of the range',
      examples: ['orders'],
    }),
  ),
  statusCode: Type.Optional(StatusFilter),
  minDuration: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 2 ** 31 - 1,
      description: 'Took at least this long, in milliseconds',
      examples: [1_000],
    }),
  ),
  maxDuration: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 2 ** 31 - 1,
      description: 'Took at most this long, in milliseconds',
      examples: [5_000],
    }),
  ),
  apiKeyId: Type.Optional(described(Id, 'The key of the request')),
  hasKey: Type.Optional(
    Type.Boolean({ description: '`false`: only requests without an existing key; `true`: only with' }),
  ),
  verifiedApiKeyId: Type.Optional(described(Id, 'The key that the request verified')),
  ownerId: Type.Optional(
    Type.String({
      pattern: ownerIdPattern,
      description: 'The owner of the checked key at the time of the request',
      examples: ['customer-4711'],
    }),
  ),
  ip: Type.Optional(
    Type.String({
      pattern: '^[0-9A-Fa-f:.]{2,45}$',
      description: 'The address of the client',
      examples: ['203.0.113.7'],
    }),
  ),
  userAgent: Type.Optional(
    Type.String({
      pattern: lineOfText.replace('*', '{3,200}'),
      description:
        'A part of the user agent, at least 3 characters, case-insensitive. Use it with `from` or `to`: it reads all rows of the range',
      examples: ['okhttp'],
    }),
  ),
  traceId: Type.Optional(
    Type.String({
      pattern: '^[0-9a-f]{32}$',
      description: 'The trace of the request',
      examples: ['0af7651916cd43dd8448eb211c80319c'],
    }),
  ),
  excludeManagement: Type.Optional(ExcludeManagement),
};
/** The query of an export. */
export const RequestLogExport = Type.Object(
  {
    format: Type.Unsafe<ExportFormat>({ type: 'string', enum: Object.keys(exportFormats) }),
    ...requestLogFilter,
  },
  { additionalProperties: false },
);
export type RequestLogExport = Static<typeof RequestLogExport>;
