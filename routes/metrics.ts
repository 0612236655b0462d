import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { problems } from '../plugins/problem-details/schema.js';

/** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const metricsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { contentType } = app.metrics;
  const text = { schema: Type.String(), example: 'musicez_request_log_buffered_records 0\n' };
  app.get(
    '/metrics',
    {
      schema: {
        tags: ['service'],
        operationId: 'getMetrics',
        summary: 'Metrics for Prometheus',
        response: { 200: { description: 'Text exposition', content: { 'text/plain': text } }, ...problems(400, 500) },
      },
    },
    async (_request, reply) => {
      reply.type(contentType);
      return app.metrics.metrics();
    },
  );
};
