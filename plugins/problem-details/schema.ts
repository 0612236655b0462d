import { STATUS_CODES } from 'node:http';
import { type Static, Type } from '@sinclair/typebox';

export const problemMediaType = 'application/problem+json';

/** @see https://www.rfc-editor.org/rfc/rfc9457 */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'about:blank: the status says it all; code says it to programs' }),
    title: Type.String({ description: 'The status in words' }),
    status: Type.Integer({ description: 'The HTTP status' }),
    detail: Type.String({ description: 'What was wrong with this request' }),
    code: Type.String({ description: 'A constant for programs to compare' }),
    requestId: Type.String({ description: 'The x-request-id of the answer' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({ path: Type.String({ description: 'Where, as in /body/name' }), message: Type.String() }),
        {
          description: 'The fields that were refused',
        },
      ),
    ),
  },
  { $id: 'Problem', title: 'Problem' },
);
export type Problem = Static<typeof Problem>;

type StatusMap = Record<number, { description: string; content: Record<string, { schema: { $ref: string } }> }>;

/**
 * The `response` schemas of a route's errors.
 *
 * @param statuses HTTP statuses that the route may answer with a problem
 */
export function problems(...statuses: number[]): StatusMap {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: STATUS_CODES[status] ?? String(status),
        content: { [problemMediaType]: { schema: { $ref: 'Problem#' } } },
      },
    ]),
  );
}
