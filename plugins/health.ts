import fp from 'fastify-plugin';
import { withDeadline } from './database/deadline.js';

declare module 'fastify' {
  interface FastifyInstance {
    health: Health;
  }
}

/** Whether the database answered, and after how many milliseconds. */
export interface DatabaseHealth {
  status: 'healthy' | 'unhealthy';
  latencyMs: number;
}

export interface Health {
  /** Whether what the first request would wait for has been done. */
  readonly isWarm: boolean;
  /** Whether requests should be sent here: migrated, warm and not on the way out. */
  readonly isReady: boolean;
  /** Asks the database for its row in `system_health`; those who ask at the same time share the answer. */
  checkDatabase(): Promise<DatabaseHealth>;
  /** Says so, once it has. */
  markWarm(): void;
}

const databaseDeadlineMs = 1_000;

/** What the probes answer. A database that went away does not make the service unready: known keys are still served. */
export default fp(
  async (app) => {
    let isWarm = false;
    let running: Promise<DatabaseHealth> | undefined;

    app.decorate('health', {
      get isWarm() {
        return isWarm;
      },
      get isReady() {
        return isWarm && !app.drain.isDraining;
      },
      markWarm() {
        isWarm = true;
      },
      checkDatabase() {
        running ??= check().finally(() => {
          running = undefined;
        });
        return running;
      },
    });

    async function check(): Promise<DatabaseHealth> {
      const startedAt = performance.now();
      const status = await answers();
      return { status, latencyMs: Math.round((performance.now() - startedAt) * 1000) / 1000 };
    }

    async function answers(): Promise<DatabaseHealth['status']> {
      if (!app.database.isReady) return 'unhealthy';
      try {
        const newest = app.prisma.systemHealth.findFirstOrThrow({ orderBy: { checkedAt: 'desc' } });
        await withDeadline(newest, databaseDeadlineMs);
        return 'healthy';
      } catch (error) {
        app.log.warn({ err: error }, 'health check: the database does not answer');
        return 'unhealthy';
      }
    }
  },
  { name: 'health', dependencies: ['database', 'prisma', 'drain'] },
);
