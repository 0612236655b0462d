import fp from 'fastify-plugin';
import { LRUCache } from 'lru-cache';
import { withDeadline } from './database/deadline.js';
import { arrivalOf } from './request-log/record.js';

declare module 'fastify' {
  interface FastifyInstance {
    keyUsage: KeyUsage;
  }
}

export interface KeyUsage {
  /** Says that a key is in use, beyond the request that carries it. */
  note(keyId: string): void;
}

const minuteMs = 60_000;
const maxRemembered = 50_000;
const closeDeadlineMs = 1_000;

/**
 * Of several replicas that have seen the same key, the first of a minute writes; a late one never turns it back. Rows are
 * locked in one order, so that two replicas cannot wait for each other.
 */
const update = `
  UPDATE api_keys SET "lastUsed" = used.at
  FROM (
    SELECT api_keys.id, batch.at
    FROM (
      SELECT id, timestamp 'epoch' + ms * interval '1 millisecond' AS at
      FROM unnest($1::text[], $2::bigint[]) AS given (id, ms)
    ) AS batch
    JOIN api_keys USING (id)
    WHERE "lastUsed" IS NULL OR "lastUsed" <= batch.at - interval '1 minute'
    ORDER BY id FOR UPDATE OF api_keys
  ) AS used
  WHERE api_keys.id = used.id`;

/** `lastUsed` of every key, to the minute: it rides with the batches of the request log, never in a request. */
export default fp(
  async (app) => {
    // When each key's use was last written, in milliseconds since 1970.
    const writtenAt = new LRUCache<string, number>({ max: maxRemembered });
    let due = new Map<string, number>();
    let writing: Promise<void> | undefined;

    app.decorate('keyUsage', {
      note: (keyId: string) => note(keyId, Date.now()),
    });
    app.requestLog.onBatch((records) => {
      for (const { apiKeyId, id } of records) if (apiKeyId !== null) note(apiKeyId, arrivalOf(id));
      writing ??= writeAll().finally(() => {
        writing = undefined;
      });
    });
    // The last requests' records are still on their way.
    app.addHook('onClose', async () => {
      const last = app.requestLog.flush().then(() => writing);
      await withDeadline(last, closeDeadlineMs).catch(() => {});
    });

    function note(keyId: string, at: number) {
      if (at - (writtenAt.get(keyId) ?? 0) >= minuteMs) due.set(keyId, Math.max(at, due.get(keyId) ?? 0));
    }

    async function writeAll() {
      while (due.size > 0) {
        const batch = due;
        due = new Map();
        try {
          await app.database.pool.query(update, [[...batch.keys()], [...batch.values()]]);
          for (const [keyId, at] of batch) writtenAt.set(keyId, at);
        } catch (error) {
          // Each key comes again with its next use.
          app.log.warn({ err: error, keys: batch.size }, 'lastUsed could not be written');
        }
      }
    }
  },
  { name: 'key-usage', dependencies: ['database', 'request-log'] },
);
