import { type Static, type TSchema, Type } from '@sinclair/typebox';

/** A moment, in an answer: a Date that leaves as ISO 8601 in UTC. */
export const Timestamp = Type.Unsafe<Date>({
  type: 'string',
  format: 'date-time',
  examples: ['2026-01-31T09:30:00.000Z'],
});

/** A moment, in a request: RFC 3339 with its offset, in years that PostgreSQL and JavaScript agree on. */
export const GivenTimestamp = Type.String({
  format: 'date-time',
  pattern: '^(19[789]|2\\d\\d)\\d-\\d\\d-\\d\\dT[0-2]\\d:[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$',
  examples: ['2026-01-31T09:30:00Z'],
});

/** The id of a key or of a request. */
export const Id = Type.String({
  pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
  description: 'A UUID in lower case',
  examples: ['019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07'],
});

export const IdParams = Type.Object({ id: Id });

/** A field that a client may leave out, and that is there all the same: its schema has a default. */
export const defaulted = <Schema extends TSchema>(schema: Schema) => Type.Optional(schema) as unknown as Schema;

/** That, or null. Not as a union: Ajv would have to choose from it for each value that is serialised. */
export const nullable = <Schema extends TSchema>(schema: Schema, options: { description?: string } = {}) =>
  Type.Unsafe<Static<Schema> | null>({ ...schema, ...options, type: [schema.type, 'null'] });

/** One of a few words. */
export const oneOf = <const Words extends string[]>(...words: Words) =>
  Type.Unsafe<Words[number]>({ type: 'string', enum: words });

/** There is nothing more to be told. */
export const Deleted = Type.Null({ description: 'It is gone' });

/** Which part of a list: so many, after the last id of the part before. */
export const Page = Type.Object(
  {
    limit: defaulted(Type.Integer({ minimum: 1, maximum: 500, default: 50, description: 'How many at most' })),
    cursor: Type.Optional({ ...Id, description: '`nextCursor` of the page before' }),
  },
  { additionalProperties: false },
);

/** The answer to a question for a page of a list. */
export const listOf = <Entry extends TSchema>(entry: Entry, ...examples: object[]) =>
  Type.Object(
    { data: Type.Array(entry), nextCursor: nullable(Id, { description: 'Null: there are no more' }) },
    { description: 'A page of the list', examples: [{ data: examples, nextCursor: null }] },
  );

/** One line of text without control characters or halves of characters, neither of which PostgreSQL stores. */
export const lineOfText = '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]*$';

/**
 * Cuts a list that was read one longer than asked.
 *
 * @returns `limit` rows at most, and the cursor of the next page if there is one
 */
export function pageOf<Row extends { id: string }>(rows: Row[], limit: number) {
  const data = rows.slice(0, limit);
  return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
}
