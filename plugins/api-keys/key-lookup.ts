import { AsyncResource } from 'node:async_hooks';
import { DeadlineError } from '../database/deadline.js';
import type { DatabaseHandle } from '../database/index.js';
import type { Limit } from '../limits/limit.js';
import type { QuotaCounter } from '../limits/quota-counter.js';
import { AddressList } from './allowed-ips.js';
import { type LimitsRow, limitsOf, limitsSelection, quotasOf } from './counted-limits.js';
import type { AuthenticatedKey } from './key-cache.js';

/** The largest number of digests in one query. */
const maxBatch = 500;
/** The size of the queue. Clients without a key can fill it, so it is short. */
const maxWaiting = 1_000;
/** How long a lookup may take, including the time in the queue, in milliseconds. */
const deadlineMs = 2_000;

const queryOf = (schema: string) => `
  SELECT key AS digest, id, name, start, scopes, active, keys."ownerId", metadata::text AS "metadataJson", "allowedIps",
    extract(epoch FROM "expiresAt")::float8 * 1000 AS "expiresAtMs",
    extract(epoch FROM clock_timestamp())::float8 * 1000 AS "nowMs",
    ${limitsSelection(schema)}
  FROM ${schema}.api_keys AS keys LEFT JOIN ${schema}.owner_limits AS owners ON owners."ownerId" = keys."ownerId"
  WHERE key = ANY($1)`;

interface Row
  extends Omit<
      AuthenticatedKey,
      'expiresAt' | 'monotonicExpiryMs' | 'allowedIps' | 'scopes' | 'metadata' | 'metadataLength' | 'limits' | 'quotas'
    >,
    LimitsRow {
  metadataJson: string | null;
  /** Null in a row that SQL has set to it. */
  scopes: string[] | null;
  /** Null in a row that SQL has set to it. */
  allowedIps: string[] | null;
  digest: string;
  /** Null: the key never expires. Infinite after SQL set `infinity`. */
  expiresAtMs: number | null;
  nowMs: number;
}

interface Waiter {
  /** The request that waits. */
  context: AsyncResource;
  resolve(key: AuthenticatedKey | null): void;
  reject(error: unknown): void;
}

/**
 * Reads keys from the database by digest. One query runs at a time, for up to 500 queued digests, so lookups of unknown keys use
 * one connection at most.
 */
export class KeyLookup {
  private readonly database: DatabaseHandle;
  private readonly query: string;
  private readonly waiting = new Map<string, Set<Waiter>>();
  private isQuerying = false;

  private readonly quotas: QuotaCounter;
  private readonly defaults: readonly Limit[];

  /** @param defaults the limits of keys without limits of their own */
  constructor(database: DatabaseHandle, quotas: QuotaCounter, defaults: readonly Limit[]) {
    this.database = database;
    this.quotas = quotas;
    this.defaults = defaults;
    this.query = queryOf(database.quotedSchema);
  }

  /** Whether no lookup is queued or running. */
  get isIdle(): boolean {
    return !this.isQuerying;
  }

  /**
   * @param digest usually looked up once at a time: the cache merges concurrent lookups
   * @returns null when there is no such key
   * @throws DeadlineError after two seconds; a query that has started still finishes
   * @throws the database's error
   */
  find(digest: string): Promise<AuthenticatedKey | null> {
    if (!this.database.isReady) return Promise.reject(new Error('key lookup: the database is not ready yet'));
    if (this.waiting.size >= maxWaiting) return Promise.reject(new Error('key lookup: the queue is full'));
    return new Promise((resolve, reject) => {
      const waiters = this.waiting.get(digest) ?? new Set();
      this.waiting.set(digest, waiters);
      const waiter: Waiter = {
        context: new AsyncResource('key lookup'),
        resolve(key) {
          clearTimeout(timer);
          resolve(key);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      };
      const onDeadline = () => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.waiting.get(digest) === waiters) this.waiting.delete(digest);
        reject(new DeadlineError(`key lookup: no response from the database within ${deadlineMs} ms`));
      };
      // As in withDeadline: what arrived in time is read first.
      const timer = setTimeout(setImmediate, deadlineMs, onDeadline);
      waiters.add(waiter);
      void this.flushQueue();
    });
  }

  private async flushQueue() {
    if (this.isQuerying) return;
    this.isQuerying = true;
    while (this.waiting.size > 0) {
      const batch = new Map([...this.waiting].slice(0, maxBatch));
      for (const digest of batch.keys()) this.waiting.delete(digest);
      // The query is in the trace of a request that waits for it.
      const [waiter] = [...batch.values()].flatMap((waiters) => [...waiters]) as [Waiter, ...Waiter[]];
      await waiter.context.runInAsyncScope(() => this.queryFor(batch));
    }
    this.isQuerying = false;
  }

  private async queryFor(batch: Map<string, Set<Waiter>>) {
    const queriedAt = performance.now();
    try {
      const { rows } = await this.database.keyPool.query<Row>(this.query, [[...batch.keys()]]);
      const found = new Map(rows.map((row) => [row.digest, row]));
      for (const [digest, waiters] of batch)
        for (const { resolve } of waiters) resolve(this.keyOf(found.get(digest), queriedAt));
    } catch (error) {
      for (const waiters of batch.values()) for (const { reject } of waiters) reject(error);
    }
  }

  /** @param queriedAt by the monotonic clock. The database read its clock later, so a key expires early rather than late. */
  private keyOf(row: Row | undefined, queriedAt: number): AuthenticatedKey | null {
    if (!row) return null;
    const { id, name, start, active, ownerId, rateLimitPerMinute } = row;
    const { expiresAtMs, nowMs, scopes, allowedIps, metadataJson } = row;
    const hasNoExpiry = expiresAtMs === null || expiresAtMs === Number.POSITIVE_INFINITY;
    for (const total of [row.quotaTotal, row.ownerQuotaTotal]) if (total) this.quotas.recordTotal(total);
    return {
      ...{ id, name, start, active, ownerId, rateLimitPerMinute },
      scopes: scopes ?? [],
      get metadata() {
        return metadataJson === null ? null : JSON.parse(metadataJson);
      },
      metadataLength: metadataJson?.length ?? 0,
      allowedIps: allowedIps === null || allowedIps.length === 0 ? null : new AddressList(allowedIps),
      expiresAt: hasNoExpiry ? null : new Date(Math.max(0, expiresAtMs)),
      monotonicExpiryMs: hasNoExpiry ? Number.POSITIVE_INFINITY : queriedAt + expiresAtMs - nowMs,
      limits: limitsOf(row, this.defaults),
      quotas: quotasOf(row),
    };
  }
}
