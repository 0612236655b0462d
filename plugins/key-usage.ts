import fp from 'fastify-plugin';
import { LRUCache } from 'lru-cache';
import { isUse } from './api-keys/key-check.js';
import { clock } from './clock.js';
import { withDeadline } from './database/deadline.js';
import { OutageLog } from './database/outage-log.js';
import { timeInId } from './time-ordered-id.js';

declare module 'fastify' {
  interface FastifyInstance {
    keyUsage: KeyUsage;
  }
}

export interface KeyUsage {
  /** Marks a key as used, such as one that is verified. */
  note(keyId: string): void;
}

const minuteMs = 60_000;
const maxCachedKeys = 50_000;
const closeDeadlineMs = 1_000;

/**
 * Writes each key at most once a minute, over all replicas, and never an earlier time. Locks rows in the order of their ids, to
 * avoid deadlocks.
 */
const updateOf = (schema: string) => `
  UPDATE ${schema}.api_keys SET "lastUsed" = used.at, "lastUsedDay" = used.at::date
  FROM (
    SELECT keys.id, batch.at
    FROM (
      SELECT id, timestamp 'epoch' + ms * interval '1 millisecond' AS at
      FROM unnest($1::text[], $2::bigint[]) AS given (id, ms)
    ) AS batch
    JOIN ${schema}.api_keys AS keys USING (id)
    WHERE "lastUsed" IS NULL OR "lastUsed" <= batch.at - interval '1 minute'
    ORDER BY id FOR UPDATE OF keys
  ) AS used
  WHERE api_keys.id = used.id`;

/** Writes `lastUsed` of each key, to the minute, after the batches of the request log. Requests do not wait for it. */
export default fp(
  async (app) => {
    const outage = new OutageLog(app.log);
    // The time of the last write for each key, in milliseconds since 1970.
    const writtenAt = new LRUCache<string, number>({ max: maxCachedKeys });
    let due = new Map<string, number>();
    let writing: Promise<void> | undefined;
    const update = updateOf(app.database.quotedSchema);

    app.decorate('keyUsage', {
      note: (keyId: string) => note(keyId, clock.now()),
    });
    app.requestLog.onBatch((records) => {
      // Null in records that an older version has spooled.
      for (const { apiKeyId, outcome, id } of records)
        if (apiKeyId !== null && (outcome === null || isUse(outcome))) note(apiKeyId, timeInId(id));
      writing ??= writeAll().finally(() => {
        writing = undefined;
      });
    });
    // The records of the last requests are not in a batch yet.
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
          outage.ended('lastUsed can be written again');
        } catch (error) {
          // The next use of each key retries.
          outage.failed('lastUsed cannot be written', error, { keys: batch.size });
        }
      }
    }
  },
  { name: 'key-usage', dependencies: ['database', 'request-log'] },
);
