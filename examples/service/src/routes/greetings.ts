import { type FastifyPluginAsyncTypebox, keySecurity, problems, Type } from 'musicez';

const Greeting = Type.Object({ text: Type.String() }, { examples: [{ text: 'Hello, Ada' }] });

/** `GET /v1/greetings/:name`, for keys with the scope `greetings:read`. */
export const greetingRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/v1/greetings/:name',
    {
      onRequest: app.requireApiKey('greetings:read'),
      schema: {
        tags: ['greetings'],
        operationId: 'getGreeting',
        summary: 'Greet somebody',
        security: keySecurity,
        params: Type.Object({ name: Type.String({ maxLength: 100, examples: ['Ada'] }) }),
        response: { 200: Greeting, ...problems(400, 401, 403, 429, 500, 503) },
      },
    },
    async (request) => ({ text: `Hello, ${request.params.name}` }),
  );
};
