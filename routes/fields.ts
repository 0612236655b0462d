import { type Static, type TSchema, Type } from '@sinclair/typebox';

/** A time in a response: a Date, sent as ISO 8601 in UTC. */
export const Timestamp = Type.Unsafe<Date>({
  type: 'string',
  format: 'date-time',
  examples: ['2026-01-31T09:30:00.000Z'],
});

/** A time in a request: RFC 3339 with an offset, in years that PostgreSQL and JavaScript both accept. */
export const TimestampInput = Type.String({
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

/** The schema with another description. */
export const described = <Schema extends TSchema>(schema: Schema, description: string): Schema => ({
  ...schema,
  description,
});

/** Ids in a query, each as its own parameter. */
export const idList = (maxItems: number, description: string) =>
  // @fastify/swagger does not convert examples inside of array items.
  Type.Array({ ...Id, examples: undefined } as typeof Id, { maxItems, description, examples: [Id.examples] });

export const IdParams = Type.Object({ id: Id });

/** An optional field of a request that always has a value, because its schema has a default. */
export const defaulted = <Schema extends TSchema>(schema: Schema) => Type.Optional(schema) as unknown as Schema;

/** The type or null. Not a union: serialization would validate each value against its members. */
export const nullable = <Schema extends TSchema>(schema: Schema, options: { description?: string } = {}) =>
  Type.Unsafe<Static<Schema> | null>({ ...schema, ...options, type: [schema.type, 'null'] });

/** One of several strings. */
export const oneOf = <const Words extends string[]>(...words: Words) =>
  Type.Unsafe<Words[number]>({ type: 'string', enum: words });

/** The empty body of a 204. */
export const Deleted = Type.Null({ description: 'Deleted' });

/** The query of a page of a list. */
export const Page = Type.Object(
  {
    limit: defaulted(
      Type.Integer({ minimum: 1, maximum: 500, default: 50, description: 'The largest number of entries' }),
    ),
    cursor: Type.Optional(described(Id, '`nextCursor` of the previous page')),
  },
  { additionalProperties: false },
);

/** The response with a page of a list. */
export const listOf = <Entry extends TSchema>(entry: Entry, ...examples: object[]) =>
  Type.Object(
    { data: Type.Array(entry), nextCursor: nullable(Id, { description: 'Null on the last page' }) },
    { description: 'A page of the list', examples: [{ data: examples, nextCursor: null }] },
  );

/** A pattern for one line of text, without control characters and lone surrogates, which PostgreSQL does not store. */
export const lineOfText = '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]*$';

/**
 * Creates a page from rows that were read with `limit + 1`.
 *
 * @returns up to `limit` rows, and the cursor of the next page, if there is one
 */
export function pageOf<Row extends { id: string }>(rows: Row[], limit: number) {
  const data = rows.slice(0, limit);
  return { data, nextCursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
}
