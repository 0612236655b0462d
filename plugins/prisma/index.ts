import { PrismaPg } from '@prisma/adapter-pg';
import fp from 'fastify-plugin';
import { PrismaClient } from './generated/client.js';

declare module 'fastify' {
  interface FastifyInstance {
    prisma: PrismaClient;
  }
}

/** Transactions queue for a connection; the embedded database has only one. */
const transactionOptions = { maxWait: 15_000 };

/** `app.prisma`: the Prisma client, on the main pool. */
export default fp(
  async (app) => {
    const { pool, schema } = app.database;
    const prisma = new PrismaClient({
      adapter: new PrismaPg(pool, { schema }),
      transactionOptions,
      // Without lines of the source.
      errorFormat: 'minimal',
    });
    app.decorate('prisma', prisma);
    app.addHook('onClose', () => prisma.$disconnect());
  },
  { name: 'prisma', dependencies: ['database'] },
);
