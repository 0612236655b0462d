import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const metricsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { contentType } = app.metrics;
  const text = { schema: Type.String() };
  app.get(
    '/metrics',
    {
      schema: {
        tags: ['service'],
        summary: 'Metrics for Prometheus',
        response: { 200: { description: 'Text exposition', content: { 'text/plain': text } } },
      },
    },
    async (_request, reply) => {
      reply.type(contentType);
      return app.metrics.metrics();
    },
  );
};
