import { type FastifyPluginAsyncTypebox, keySecurity, lineOfText, problems, Type } from 'musicez';

const name = Type.String({ minLength: 1, maxLength: 100, pattern: lineOfText });
const text = Type.String({ minLength: 1, maxLength: 1_000, pattern: lineOfText });
const example = { name: 'Ada', text: 'Hello, Ada' };
const Greeting = Type.Object({ name, text }, { examples: [example] });
const NewGreeting = Type.Object({ text }, { examples: [{ text: example.text }] });
const Params = Type.Object({ name }, { examples: [{ name: example.name }] });

/** Greetings by name: written by keys with the scope `greetings:write`, read by those with `greetings:read`. */
export const greetingRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const schema = { tags: ['greetings'], security: keySecurity, params: Params };
  const errorResponses = problems(400, 401, 403, 404, 429, 500, 503);

  app.put(
    '/v1/greetings/:name',
    {
      onRequest: app.requireApiKey('greetings:write'),
      schema: {
        ...schema,
        operationId: 'setGreeting',
        summary: 'Set the greeting of a name',
        body: NewGreeting,
        response: { 200: Greeting, ...errorResponses },
      },
    },
    ({ params, body }) => app.db.greeting.upsert({ where: params, create: { ...params, ...body }, update: body }),
  );

  app.get(
    '/v1/greetings/:name',
    {
      onRequest: app.requireApiKey('greetings:read'),
      schema: {
        ...schema,
        operationId: 'getGreeting',
        summary: 'The greeting of a name',
        response: { 200: Greeting, ...errorResponses },
      },
    },
    ({ params }) => app.db.greeting.findUniqueOrThrow({ where: params }),
  );
};
