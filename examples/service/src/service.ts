import { fileURLToPath } from 'node:url';
import type { Extensions } from 'musicez';
import { prisma } from './plugins/prisma.js';
import { greetingRoutes } from './routes/greetings.js';

/** What this service adds to musicez. */
export const service: Extensions = {
  // This file runs as dist/src/service.js.
  tables: { prismaDir: fileURLToPath(new URL('../../prisma', import.meta.url)), schema: 'app' },
  plugins: [prisma],
  routes: [greetingRoutes],
};
