import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';

const Home = Type.Object({
  name: Type.String(),
  version: Type.String(),
  links: Type.Record(Type.String(), Type.String()),
});

export const homeRoutes: FastifyPluginAsyncTypebox<{ version: string }> = async (app, { version }) => {
  app.get('/', { schema: { tags: ['service'], summary: 'What this is', response: { 200: Home } } }, async () => ({
    name: 'musicez',
    version,
    links: { documentation: '/documentation', openapi: '/documentation/json', health: '/health', me: '/v1/me' },
  }));
};
