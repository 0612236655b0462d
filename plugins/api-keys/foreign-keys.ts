import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { OutageLog } from '../database/outage-log.js';

const intervalMs = 500;

export interface ForeignKeys {
  /**
   * Whether the table has keys of other formats, so that any text can be a key. True until the first answer of the database.
   */
  readonly exist: boolean;
}

/**
 * Watches whether the table has imported keys whose format is not that of this service. While it has none, other texts are denied
 * without a lookup. Reads the database twice a second, so that every replica learns of an import within a second, also without
 * change notifications. While the database does not answer, the last state holds.
 */
export function watchForeignKeys(app: FastifyInstance): ForeignKeys {
  const { keyPool, quotedSchema } = app.database;
  const query = `SELECT ${quotedSchema}.api_keys_have_foreign() AS exist`;
  const failure = new OutageLog(app.log);
  const stopped = new AbortController();
  const state = { exist: true };
  void watch().catch(() => {});
  app.addHook('onClose', async () => stopped.abort());
  return state;

  async function watch() {
    await app.database.ready;
    while (!stopped.signal.aborted) {
      try {
        const { rows } = await keyPool.query<{ exist: boolean }>(query);
        state.exist = rows[0]?.exist ?? state.exist;
        failure.ended('keys of other formats can be detected again');
      } catch (error) {
        // A missing function or privilege. Other queries report outages.
        if (String((error as { code?: unknown }).code).startsWith('42'))
          failure.failed('keys of other formats cannot be detected', error);
      }
      await sleep(intervalMs, undefined, { ref: false, signal: stopped.signal });
    }
  }
}
