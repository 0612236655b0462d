import fp from 'fastify-plugin';

type Schema = Record<string, unknown>;

/** Keywords that add properties from other schemas, which `additionalProperties: false` would reject. */
const combining = ['allOf', 'anyOf', 'oneOf', 'if', '$ref'];

/**
 * Makes a body with a property that its schema does not name a 400, in every route. Otherwise a client could set fields that the
 * route passes to the database, such as `id`. A schema accepts others with `additionalProperties: true`.
 *
 * Objects inside `anyOf` and `oneOf` are strict too. Not covered: `allOf` and `$ref`.
 */
export default fp(
  async (app) => {
    app.addHook('onRoute', (route) => {
      if (route.schema?.body) route.schema = { ...route.schema, body: strict(route.schema.body) };
    });
  },
  { name: 'strict-bodies' },
);

function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { type, properties, additionalProperties = false, ...rest } = schema as Schema;
  const isStrict =
    [type].flat().includes('object') && properties !== undefined && !combining.some((keyword) => keyword in schema);
  return {
    ...schema,
    ...(properties !== undefined && { properties: mapValues(properties as Schema, strict) }),
    ...(isStrict && { additionalProperties }),
    ...(rest.items !== undefined && { items: strict(rest.items) }),
    ...(rest.anyOf !== undefined && { anyOf: strict(rest.anyOf) }),
    ...(rest.oneOf !== undefined && { oneOf: strict(rest.oneOf) }),
    // A body for each media type.
    ...(rest.content !== undefined && {
      content: mapValues(rest.content as Schema, (media) => ({
        ...(media as Schema),
        schema: strict((media as Schema).schema),
      })),
    }),
  };
}

function mapValues(object: Schema, map: (value: unknown) => unknown): Schema {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}
