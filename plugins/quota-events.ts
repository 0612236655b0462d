import fp from 'fastify-plugin';
import { LRUCache } from 'lru-cache';
import { inBackground } from './background.js';
import { backoff } from './database/backoff.js';
import { withDeadline } from './database/deadline.js';
import { OutageLog } from './database/outage-log.js';
import { type CountedQuota, type QuotaTotal, windowKeyOf } from './limits/quota-counter.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** How many events of quotas this process has written, by percentage. */
    quotaThresholds: Readonly<Record<Percent, number>>;
  }
}

const percents = [80, 100] as const;
type Percent = (typeof percents)[number];

interface Reached {
  quota: CountedQuota;
  total: QuotaTotal;
  percent: Percent;
}

const maxReported = 100_000;
const closeDeadlineMs = 1_000;

/** The first replica that inserts the threshold writes the event. */
const reportOf = (schema: string) => `
  WITH reached AS (
    INSERT INTO ${schema}.quota_thresholds (kind, id, start, "limit", percent)
    VALUES ($1, $2, timestamp 'epoch' + $3::bigint * interval '1 millisecond', $8, $4) ON CONFLICT DO NOTHING RETURNING percent
  )
  INSERT INTO ${schema}.api_key_events (id, "apiKeyId", action, actor, changes, "createdAt", "ownerId")
  SELECT ${schema}.api_key_event_id(), $5, 'quota-' || percent, 'service', $6::jsonb, clock_timestamp() AT TIME ZONE 'UTC', $7
  FROM reached`;

/** Writes an event when 80 % and 100 % of a quota are used, once for each window and limit. Requests do not wait for it. */
export default fp(
  async (app) => {
    const outage = new OutageLog(app.log);
    const report = reportOf(app.database.quotedSchema);
    const stopped = new AbortController();
    const counts = { 80: 0, 100: 0 };
    // The highest percentage that this process has reported in each window.
    const reported = new LRUCache<string, Percent>({ max: maxReported });
    const due: Reached[] = [];
    let writing: Promise<void> | undefined;

    app.decorate('quotaThresholds', counts);
    app.limits.quotas.setTotalListener((quota, total) => {
      const window = `${windowKeyOf(total)}:${quota.limit}`;
      for (const percent of percents) {
        if (total.used * 100 < quota.limit * percent || (reported.get(window) ?? 0) >= percent) continue;
        reported.set(window, percent);
        due.push({ quota, total, percent });
        writing ??= inBackground(writeAll).finally(() => {
          writing = undefined;
        });
      }
    });
    // The charges of the last requests are not settled yet.
    app.addHook('onClose', async () => {
      const last = app.requestLog.flush().then(() => writing);
      await withDeadline(last, closeDeadlineMs).catch(() => {});
      stopped.abort();
    });

    async function writeAll() {
      for (let failures = 0; due.length > 0 && !stopped.signal.aborted; ) {
        try {
          await write(due[0] as Reached);
          due.shift();
          failures = 0;
          outage.ended('events of quotas can be written again');
        } catch (error) {
          outage.failed('an event of a quota cannot be written, trying again', error, { events: due.length });
          await backoff(++failures, stopped.signal).catch(() => {});
        }
      }
    }

    async function write({ quota, total, percent }: Reached) {
      const { limit, period, kind, apiKeyId, ownerId } = quota;
      const changes = { used: { from: null, to: total.used }, quota: { from: null, to: { limit, period } } };
      const { rowCount } = await app.database.pool.query(report, [
        ...[kind, total.id, total.start, percent],
        ...[kind === 'key' ? apiKeyId : '', JSON.stringify(changes), ownerId, limit],
      ]);
      counts[percent] += rowCount ?? 0;
    }
  },
  { name: 'quota-events', dependencies: ['database', 'limits', 'request-log'] },
);
