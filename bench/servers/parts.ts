// Bare Fastify with the parts of this service that BENCH_PARTS lists, to measure what each part costs.
import closeWithGrace from 'close-with-grace';
import Fastify from 'fastify';
import fp from 'fastify-plugin';
import apiKeys from '../../plugins/api-keys/index.js';
import database from '../../plugins/database/index.js';
import limits from '../../plugins/limits/index.js';
import prisma from '../../plugins/prisma/index.js';
import { newRequestId } from '../../plugins/request-id.js';
import requestLog from '../../plugins/request-log/index.js';
import { PreparedResponse } from '../../plugins/security-headers/prepared-response.js';
import traceContext from '../../plugins/trace-context.js';
import tracing from '../../plugins/tracing/index.js';
import { loadConfig } from '../../src/config/index.js';
import { Me, readMe } from './me.js';

const parts = process.env.BENCH_PARTS?.split(',') ?? [];
const config = loadConfig(process.env);
const { bootstrapAdminKey = '', version } = config;
const me = readMe();

const app = Fastify({
  logger: false,
  // Only the log needs UUIDs as request ids.
  ...(parts.includes('log') && { genReqId: newRequestId }),
  // Only limits add headers to a response.
  ...(parts.includes('limits') && { http: { ServerResponse: PreparedResponse } }),
});
await app.register(database, { version, ...config.database });
await app.register(prisma);
// Security headers are not measured.
await app.register(fp(async (app) => void app.decorate('forbidCaching', () => {}), { name: 'security-headers' }));
await app.register(limits, config.limits);
const perMinute = { name: 'minute', limit: 1e9, windowSeconds: 60 };
const defaultLimits = parts.includes('limits') ? [perMinute] : [];
await app.register(apiKeys, { ...config.apiKeys, defaultLimits });
if (parts.includes('log')) {
  await app.register(traceContext, { startsTraces: false });
  await app.register(tracing, { variables: undefined, version, exclude: [] });
  await app.register(requestLog, { ...config.requestLog, exclude: [] });
  app.get('/health', async () => ({ checks: { requestLog: app.requestLog.counts } }));
}
app.get('/v1/me', { onRequest: app.requireApiKey(), schema: { response: { 200: Me } } }, async () => me);

closeWithGrace(() => app.close());
await app.ready();
await app.database.ready;
await app.apiKeys.adopt(bootstrapAdminKey, { name: 'bench' });
await app.listen({ host: '127.0.0.1', port: config.port });
