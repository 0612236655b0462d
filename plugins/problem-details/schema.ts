import { STATUS_CODES } from 'node:http';
import { type Static, Type } from '@sinclair/typebox';

export const problemMediaType = 'application/problem+json';

/** @see https://www.rfc-editor.org/rfc/rfc9457 */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'about:blank: see `code`' }),
    title: Type.String({ description: 'The name of the status' }),
    status: Type.Integer({ description: 'The HTTP status' }),
    detail: Type.String({ description: 'What is wrong with the request' }),
    code: Type.String({ description: 'A constant that identifies the problem' }),
    requestId: Type.String({ description: 'The x-request-id of the response' }),
    incomingRequestId: Type.Optional(
      Type.String({ description: 'The x-request-id that a trusted proxy sent with the request' }),
    ),
    traceId: Type.Optional(Type.String({ description: 'The trace of the `traceparent` of the request' })),
    errors: Type.Optional(
      Type.Array(
        Type.Object({ path: Type.String({ description: 'The field, such as /body/name' }), message: Type.String() }),
        {
          description: 'The invalid fields',
        },
      ),
    ),
  },
  { $id: 'Problem', title: 'Problem' },
);
export type Problem = Static<typeof Problem>;

/** Examples of problems by status, for the documentation. */
const examples: Record<number, Pick<Problem, 'code' | 'detail' | 'errors'>> = {
  400: {
    code: 'VALIDATION_FAILED',
    detail: '/querystring/limit must be <= 500',
    errors: [{ path: '/querystring/limit', message: 'must be <= 500' }],
  },
  401: { code: 'API_KEY_UNKNOWN', detail: 'this API key does not exist' },
  403: { code: 'INSUFFICIENT_SCOPE', detail: 'this API key lacks the scope "admin"' },
  404: { code: 'API_KEY_NOT_FOUND', detail: 'no API key has this id' },
  409: { code: 'API_KEY_DEAD', detail: 'a key that is disabled or has expired cannot be rotated' },
  413: { code: 'BODY_TOO_LARGE', detail: 'Request body is too large' },
  414: { code: 'MAX_PARAM_LENGTH', detail: 'a part of the path is too long' },
  415: { code: 'INVALID_MEDIA_TYPE', detail: 'Unsupported Media Type' },
  429: { code: 'RATE_LIMITED', detail: 'this API key is limited to 60 requests a minute' },
  500: { code: 'INTERNAL_ERROR', detail: 'the service failed to answer this request' },
  503: { code: 'DATABASE_UNAVAILABLE', detail: 'the database does not answer, or is read-only, at the moment' },
};

interface Media {
  schema: { $ref: string };
  example: Problem;
}
type StatusMap = Record<number, { description: string; content: Record<string, Media> }>;

/**
 * Creates the `response` schemas of the errors of a route.
 *
 * @param statuses the statuses that the route sends with a problem
 */
export function problems(...statuses: number[]): StatusMap {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: titleOf(status),
        content: { [problemMediaType]: { schema: { $ref: 'Problem#' }, example: exampleOf(status) } },
      },
    ]),
  );
}

function exampleOf(status: number): Problem {
  const title = titleOf(status);
  const { code, detail, errors } = examples[status] ?? { code: 'A_CONSTANT', detail: 'What was wrong' };
  const requestId = '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07';
  return { type: 'about:blank', title, status, detail, code, requestId, ...(errors && { errors }) };
}

function titleOf(status: number): string {
  return STATUS_CODES[status] ?? 'Error';
}
