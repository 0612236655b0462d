import { setTimeout as sleep } from 'node:timers/promises';
import fp from 'fastify-plugin';
import { clock } from '../clock.js';
import { retryWhileUnavailable } from './connect.js';
import { MigrationBlockedError } from './errors.js';
import { buildPartitionIndexes } from './migrations/partition-indexes.js';
import { type Database, type DatabaseOptions, openDatabase } from './open.js';
import { OutageLog } from './outage-log.js';

declare module 'fastify' {
  interface FastifyInstance {
    database: DatabaseHandle;
  }
}

const maxClockOffsetMs = 2_000;
/** The pause before another build of indexes; doubled after each failure. */
const indexRetryMs = { first: 60_000, longest: 3_600_000 };

/** The database, for plugins and routes. */
export interface DatabaseHandle
  extends Pick<Database, 'pool' | 'keyPool' | 'logPool' | 'schema' | 'quotedSchema' | 'isEmbedded' | 'createClient'> {
  /** Whether it has answered and is migrated. It may be down again. */
  readonly isReady: boolean;
  /**
   * Resolves when the database has answered and is migrated.
   *
   * @throws DatabaseStartError when that cannot happen
   */
  readonly ready: Promise<void>;
  /** How far the database's clock is ahead of the host's, in milliseconds; null before the first comparison. */
  readonly clockOffsetMs: number | null;
  /**
   * Sets the service's clock to the database's, and warns when the host's clock differs.
   *
   * @see SteadyClock.sync
   */
  recordClock(databaseMs: number, queriedAt: number, respondedAt: number): void;
}

export interface DatabasePluginOptions extends DatabaseOptions {
  /** The service's version, for `system_health`. */
  version: string;
  /** Whether to apply pending migrations (default). Otherwise the start fails when there are any. */
  shouldMigrate?: boolean;
  /** The command that migrates, for messages. */
  migrateCommand?: string;
}

/**
 * Connects to the database while the server starts, so that probes answer before the database does.
 */
export default fp<DatabasePluginOptions>(
  async (app, { version, shouldMigrate = true, migrateCommand = 'its migrations', ...options }) => {
    const database = openDatabase(options);
    const { pool, keyPool, logPool, schema, quotedSchema, isEmbedded, createClient } = database;
    const outage = new OutageLog(app.log);
    const ready = new Promise<void>((resolve, reject) => {
      app.addHook('onReady', (done) => {
        becomeReady().then(resolve, reject);
        done();
      });
    });
    // An instance that is closed before it was ready rejects this promise, possibly without a handler.
    ready.catch(() => {});
    let isClockOff = false;
    const handle = {
      ...{ pool, keyPool, logPool, schema, quotedSchema, isEmbedded, createClient, ready, recordClock },
      isReady: false,
      get clockOffsetMs() {
        // The embedded database has the host's clock.
        return isEmbedded ? 0 : clock.offsetMs;
      },
    };
    app.decorate('database', handle);
    const closed = new AbortController();
    app.addHook('onClose', async () => {
      closed.abort();
      await database.close();
    });

    async function becomeReady() {
      for (const warning of database.warnings) app.log.warn(`DATABASE_URL ${warning}`);
      if (isEmbedded) {
        app.log.info(
          `embedded database in ${options.dataDir}: for one process; survives a killed process, not a power cut`,
        );
      }
      await database.start(reportFailure);
      if (shouldMigrate) await migrate();
      else await database.assertMigrated(migrateCommand, reportFailure);
      await compareClocks();
      outage.ended('the database answers');
      handle.isReady = true;
      if (shouldMigrate) void buildIndexes();
    }

    /** Before the first request, because the database's clock decides about expiry. Later comparisons come with heartbeats. */
    async function compareClocks() {
      if (isEmbedded) return;
      const compare = async () => {
        const client = await keyPool.connect();
        try {
          const queriedAt = performance.now();
          const { rows } = await client.query<{ nowMs: number }>(
            'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS "nowMs"',
          );
          recordClock(rows[0]?.nowMs ?? Date.now(), queriedAt, performance.now());
          client.release();
        } catch (error) {
          client.release(true);
          throw error;
        }
      };
      await retryWhileUnavailable(compare, reportFailure, closed.signal);
    }

    /** Runs while requests are served: without the index, only a filter is slow. */
    async function buildIndexes() {
      const { signal } = closed;
      let pauseMs = indexRetryMs.first;
      while (!signal.aborted) {
        try {
          if (
            await buildPartitionIndexes(
              database,
              (index) => app.log.info(index, 'index of the request log built'),
              signal,
            )
          )
            return;
        } catch (err) {
          if (!signal.aborted)
            app.log.warn({ err, pauseMs }, 'an index of the request log was not built, trying again');
          pauseMs = Math.min(pauseMs * 2, indexRetryMs.longest);
        }
        await sleep(pauseMs, undefined, { ref: false, signal }).catch(() => {});
      }
    }

    async function migrate() {
      const { applied, edited, missing } = await database.migrate(version, reportFailure);
      for (const name of applied) app.log.info(`migration ${name} applied`);
      for (const name of edited) app.log.warn(`migration ${name} was edited after it had been applied`);
      for (const name of missing)
        app.log.warn(`migration ${name} was applied to this database and is not among the files of this version`);
    }

    function recordClock(databaseMs: number, queriedAt: number, respondedAt: number) {
      clock.sync(databaseMs, queriedAt, respondedAt);
      const offsetMs = Math.round(clock.offsetMs ?? 0);
      if (Math.abs(offsetMs) > maxClockOffsetMs === isClockOff) return;
      isClockOff = !isClockOff;
      if (isClockOff)
        app.log.warn(
          { offsetMs },
          "the host's clock differs from the database's, which is used; synchronize the host's by NTP",
        );
      else app.log.info({ offsetMs }, "the host's clock agrees with the database's again");
    }

    function reportFailure(error: Error, attempt: number) {
      const isBlocked = error instanceof MigrationBlockedError;
      outage.failed(
        isBlocked ? 'migrations wait for a lock, trying again' : 'database unreachable, trying again',
        error,
        { attempt },
      );
    }
  },
  { name: 'database' },
);
