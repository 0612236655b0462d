import { PrismaPg } from '@prisma/adapter-pg';
import fp from 'fastify-plugin';
import { PrismaClient } from '../generated/client.js';

declare module 'fastify' {
  interface FastifyInstance {
    db: PrismaClient;
  }
}

/** `app.db`: the Prisma client of this service's tables, on the pool of musicez. `app.prisma` is the one of musicez. */
export const prisma = fp(
  async (app) => {
    const db = new PrismaClient({ adapter: new PrismaPg(app.database.pool, { schema: 'app' }) });
    app.decorate('db', db);
    app.addHook('onClose', () => db.$disconnect());
  },
  { name: 'db', dependencies: ['database'] },
);
