import fp from 'fastify-plugin';
import { retryWhileUnavailable } from './connect.js';
import { type Database, type DatabaseOptions, openDatabase } from './open.js';

declare module 'fastify' {
  interface FastifyInstance {
    database: DatabaseHandle;
  }
}

/** The database as plugins and routes see it. */
export interface DatabaseHandle extends Pick<Database, 'pool' | 'schema' | 'embedded' | 'createClient'> {
  /** Whether it has answered and has every migration. It may have gone away since. */
  readonly isReady: boolean;
  /**
   * Resolves when it first is.
   *
   * @throws DatabaseStartError when it never will be
   */
  readonly ready: Promise<void>;
}

export interface DatabasePluginOptions extends DatabaseOptions {
  /** The service's version, for `system_health`. */
  version: string;
}

/**
 * Opens the database beside the server: probes answer while it is still awaited.
 */
export default fp<DatabasePluginOptions>(
  async (app, { version, ...options }) => {
    const database = openDatabase(options);
    const { pool, schema, embedded, createClient } = database;
    const ready = new Promise<void>((resolve, reject) => {
      app.addHook('onReady', (done) => {
        bringUp().then(resolve, reject);
        done();
      });
    });
    // Whoever starts the service awaits it; an instance that is closed before need not.
    ready.catch(() => {});
    const handle = { pool, schema, embedded, createClient, isReady: false, ready };
    app.decorate('database', handle);
    app.addHook('onClose', () => database.close());

    async function bringUp() {
      if (embedded) {
        app.log.info(
          `embedded database in ${options.dataDir}: for one process; survives a killed process, not a power cut`,
        );
      }
      await database.start(reportFailure);
      const { applied, edited } = await retryWhileUnavailable(() => database.migrate(version), reportFailure);
      for (const name of applied) app.log.info(`migration ${name} applied`);
      for (const name of edited) app.log.warn(`migration ${name} was edited after it had been applied`);
      handle.isReady = true;
    }

    function reportFailure(error: Error, attempt: number) {
      app.log.warn({ err: error, attempt }, 'database unreachable, trying again');
    }
  },
  { name: 'database' },
);
