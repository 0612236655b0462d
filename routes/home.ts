import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { problems } from '../plugins/problem-details/schema.js';

const Home = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    links: Type.Record(Type.String(), Type.String()),
  },
  {
    description: 'Name, version and links',
    examples: [{ name: 'musicez', version: '0.1.0', links: { documentation: '/documentation', me: '/v1/me' } }],
  },
);

export const homeRoutes: FastifyPluginAsyncTypebox<{ version: string }> = async (app, { version }) => {
  app.get(
    '/',
    {
      schema: {
        tags: ['service'],
        operationId: 'getHome',
        summary: 'Name, version and links',
        response: { 200: Home, ...problems(400, 500) },
      },
    },
    async () => ({
      name: 'musicez',
      version,
      links: {
        documentation: '/documentation',
        openapi: '/documentation/json',
        dashboard: '/dashboard',
        health: '/health',
        me: '/v1/me',
      },
    }),
  );
};
