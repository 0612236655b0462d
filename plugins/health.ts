import fp from 'fastify-plugin';
import { withDeadline } from './database/deadline.js';
import { OutageLog } from './database/outage-log.js';

declare module 'fastify' {
  interface FastifyInstance {
    health: Health;
  }
}

/** The result of a health check of the database. */
export interface DatabaseHealth {
  /** `unhealthy`: it does not answer, or is read-only. */
  status: 'healthy' | 'unhealthy';
  latencyMs: number;
  /** False on a standby, and while batches of the log fail. */
  writable: boolean;
  /** How far its clock is ahead of the host's, in milliseconds; null before the first comparison. */
  clockOffsetMs: number | null;
}

export interface Health {
  /** Whether the work that the first request would wait for is done. */
  readonly isWarm: boolean;
  /** Whether to send requests to this instance: it is migrated, warm and not shutting down. */
  readonly isReady: boolean;
  /** Reads `system_health`. Concurrent calls share one query. */
  checkDatabase(): Promise<DatabaseHealth>;
  /** Makes the instance warm. */
  markWarm(): void;
}

const databaseDeadlineMs = 1_000;

/** The state of the service, for probes. A database that is down does not make the service unready: cached keys are still accepted. */
export default fp(
  async (app) => {
    let isWarm = false;
    let running: Promise<DatabaseHealth> | undefined;
    const outage = new OutageLog(app.log);
    const healthQuery = `
      SELECT current_setting('transaction_read_only')::bool AS "readOnly"
      FROM ${app.database.quotedSchema}.system_health ORDER BY "checkedAt" DESC LIMIT 1`;

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
      const writable = await isDatabaseWritable();
      const { clockOffsetMs } = app.database;
      return {
        status: writable ? 'healthy' : 'unhealthy',
        latencyMs: Math.round((performance.now() - startedAt) * 1000) / 1000,
        writable,
        clockOffsetMs: clockOffsetMs === null ? null : Math.round(clockOffsetMs),
      };
    }

    /** Whether batches of the request log fail that are written to this database. */
    function areBatchesFailing() {
      return app.requestLog.store === 'postgresql' && !app.requestLog.isWritable;
    }

    /**
     * Closes the connection of authentication that was used last. It can be to a server that is no longer primary, on which it only
     * reads, so that no error would close it.
     */
    function closeConnection() {
      app.database.keyPool.connect().then(
        (client) => client.release(true),
        () => {},
      );
    }

    /** Reads `system_health` through the pool of authentication. */
    async function isDatabaseWritable(): Promise<boolean> {
      const { isReady, keyPool } = app.database;
      if (!isReady) return false;
      try {
        const { rows } = await withDeadline(keyPool.query<{ readOnly: boolean }>(healthQuery), databaseDeadlineMs);
        if (rows.length === 0) throw new Error('system_health has no row');
        const isReadOnly = rows[0]?.readOnly !== false;
        if (isReadOnly) closeConnection();
        const isWritable = !isReadOnly && !areBatchesFailing();
        if (isWritable) outage.ended('health check: the database is healthy again');
        else
          outage.failed(
            'health check: the database is read-only or batches fail',
            new Error('read-only, or batches fail'),
          );
        return isWritable;
      } catch (error) {
        outage.failed('health check: the database does not answer', error);
        return false;
      }
    }
  },
  { name: 'health', dependencies: ['database', 'drain', 'request-log'] },
);
