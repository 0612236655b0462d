import { fileURLToPath } from 'node:url';
import type { Extensions } from 'musicez';
import { prisma } from './plugins/prisma.js';
import { greetingRoutes } from './routes/greetings.js';

/** What this service adds to musicez. */
export const service: Extensions = {
  // Seen from dist/src, where this file is compiled to.
  tables: { prismaDir: fileURLToPath(new URL('../../prisma', import.meta.url)), schema: 'app' },
  plugins: [prisma],
  routes: [greetingRoutes],
};
