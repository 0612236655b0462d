// A straightforward implementation: each request reads the key with Prisma, updates its `lastUsed`, and creates a row.
import { setTimeout as sleep } from 'node:timers/promises';
import helmet from '@fastify/helmet';
import { PrismaPg } from '@prisma/adapter-pg';
import { Type } from '@sinclair/typebox';
import closeWithGrace from 'close-with-grace';
import Fastify from 'fastify';
import { digestOf } from '../../plugins/api-keys/key-format.js';
import { openDatabase } from '../../plugins/database/open.js';
import { type ApiKey, PrismaClient } from '../../plugins/prisma/generated/client.js';
import { loadConfig } from '../../src/config/index.js';
import { Me, readMe } from './me.js';

const config = loadConfig(process.env);
const database = openDatabase(config.database);
await database.start(() => {});
await database.migrate(config.version);
const prisma = new PrismaClient({ adapter: new PrismaPg(database.pool) });
// Without JSON columns: Prisma would store null as the JSON value.
const { metadata, rateLimits, quota, ownerQuota, ...me } = readMe();
await prisma.apiKey.create({ data: { ...me, key: digestOf(process.env.BENCH_KEY ?? '') } });

const rows = { accepted: 0, written: 0, buffered: 0, dropped: 0 };
const app = Fastify({ logger: false });
await app.register(helmet);
app.decorateRequest('caller');

app.get('/health', async () => ({ checks: { requestLog: rows } }));

app.get('/v1/me', {
  schema: { response: { 200: Me, 401: Type.Object({ error: Type.String() }) } },
  async onRequest(request, reply) {
    const presented = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    const caller = await prisma.apiKey.findUnique({ where: { key: digestOf(presented) } });
    if (!caller?.active || (caller.expiresAt && caller.expiresAt.getTime() <= Date.now())) {
      return reply.code(401).send({ error: 'no such key' });
    }
    await prisma.apiKey.update({ where: { id: caller.id }, data: { lastUsed: new Date() } });
    request.setDecorator('caller', caller);
  },
  handler: async (request) => ({ ...request.getDecorator<ApiKey>('caller'), metadata, rateLimits, quota, ownerQuota }),
  async onResponse(request, reply) {
    rows.accepted++;
    rows.buffered++;
    try {
      await prisma.requestLog.create({
        data: {
          method: request.method,
          path: request.url,
          statusCode: reply.statusCode,
          duration: Math.round(reply.elapsedTime),
          ip: request.ip,
          userAgent: request.headers['user-agent'] ?? null,
          apiKeyId: request.getDecorator<ApiKey | undefined>('caller')?.id ?? null,
        },
      });
      rows.written++;
    } catch {
      rows.dropped++;
    }
    rows.buffered--;
  },
});

closeWithGrace(async () => {
  await app.close();
  while (rows.buffered > 0) await sleep(10);
  await prisma.$disconnect();
  await database.close();
});
await app.listen({ host: '127.0.0.1', port: config.port });
