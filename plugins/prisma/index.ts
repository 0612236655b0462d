import { PrismaPg } from '@prisma/adapter-pg';
import fp from 'fastify-plugin';
import { PrismaClient } from './generated/client.js';

declare module 'fastify' {
  interface FastifyInstance {
    prisma: PrismaClient;
  }
}

/** Where connections are few, and the embedded database has but one, a transaction may have to wait its turn. */
const transactionOptions = { maxWait: 15_000 };

/** `app.prisma`: Prisma's client on the process's one pool. */
export default fp(
  async (app) => {
    const { pool, schema } = app.database;
    const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { schema }), transactionOptions });
    app.decorate('prisma', prisma);
    app.addHook('onClose', () => prisma.$disconnect());
  },
  { name: 'prisma', dependencies: ['database'] },
);
