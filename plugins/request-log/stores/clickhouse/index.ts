import type { FastifyBaseLogger } from 'fastify';
import { backoff } from '../../../database/backoff.js';
import { OutageLog } from '../../../database/outage-log.js';
import type { Batch } from '../../batch.js';
import type { RequestLogFilter } from '../../filter.js';
import type { GroupKind } from '../../groups.js';
import type { KeyStatsQuery } from '../../key-stats.js';
import type { StatsQuery } from '../../stats.js';
import { minutesSince, type StatsRange } from '../../stats-range.js';
import type { RequestLogReader, RequestLogStore } from '../../store.js';
import type { UsageQuery } from '../../usage.js';
import { writeBatch } from './batches.js';
import type { ChargeQueue } from './charges.js';
import { ClickHouse } from './client.js';
import { readGroups } from './groups.js';
import { readEdges, readPage, readPages, readRow, readSlowest } from './rows.js';
import { migrate, type Retention, setRetention } from './schema.js';
import { readKeyStats, readLimitedKeys, readOwners, readStats, readUsage } from './stats.js';

/** Reads the request log in ClickHouse. */
export class ClickHouseReader implements RequestLogReader {
  protected readonly clickHouse: ClickHouse;

  /** @param url `clickhouse://user:password@host:8123/database` */
  constructor(url: string, options: { requestTimeoutMs?: number } = {}) {
    this.clickHouse = new ClickHouse(url, options);
  }

  page(filter: RequestLogFilter, limit: number, before?: string) {
    return readPage(this.clickHouse, filter, limit, before);
  }

  slowest(filter: RequestLogFilter, limit: number, isShort: boolean) {
    return readSlowest(this.clickHouse, filter, limit, isShort);
  }

  get(id: string) {
    return readRow(this.clickHouse, id);
  }

  pages(filter: RequestLogFilter) {
    return readPages(this.clickHouse, filter);
  }

  edges(range: Pick<RequestLogFilter, 'from' | 'to'>) {
    return readEdges(this.clickHouse, range);
  }

  groups(kind: GroupKind, filter: RequestLogFilter) {
    return readGroups(this.clickHouse, kind, filter);
  }

  stats(query: StatsQuery) {
    return readStats(this.clickHouse, query);
  }

  keyStats(query: KeyStatsQuery) {
    return readKeyStats(this.clickHouse, query);
  }

  usage(query: UsageQuery) {
    return readUsage(this.clickHouse, query);
  }

  owners(range: StatsRange) {
    return readOwners(this.clickHouse, range);
  }

  limitedKeys(range: StatsRange) {
    return readLimitedKeys(this.clickHouse, range);
  }

  close(): Promise<void> {
    return this.clickHouse.close();
  }
}

/** The request log in ClickHouse: a table partitioned by day, and statistics by materialized views. Quotas stay in PostgreSQL. */
export class ClickHouseStore extends ClickHouseReader implements RequestLogStore {
  readonly kind = 'clickhouse';
  readonly ready: Promise<void>;
  isReady = false;
  private readonly retention: Retention;
  private readonly charges: Pick<ChargeQueue, 'settle' | 'close'>;
  private readonly log: FastifyBaseLogger;
  private readonly stopped = new AbortController();

  /** Connects, and tries again until ClickHouse responds. */
  constructor(
    url: string,
    retention: Retention,
    charges: Pick<ChargeQueue, 'settle' | 'close'>,
    log: FastifyBaseLogger,
  ) {
    super(url);
    this.retention = retention;
    this.charges = charges;
    this.log = log;
    this.ready = this.open();
    // A service that is closed before rejects this promise.
    this.ready.catch(() => {});
  }

  async write(batch: Batch) {
    await this.charges.settle(batch);
    return writeBatch(this.clickHouse, batch, this.log);
  }

  settleCharges(batch: Batch) {
    return this.charges.settle(batch);
  }

  minutesSince(now: Date) {
    return minutesSince(now, this.retention.retentionDays);
  }

  override async close() {
    this.stopped.abort();
    await this.charges.close();
    await super.close();
  }

  private async open() {
    const outage = new OutageLog(this.log);
    const { address } = this.clickHouse;
    for (let attempt = 1; !this.isReady; attempt++) {
      try {
        await migrate(this.clickHouse);
        await setRetention(this.clickHouse, this.retention);
        this.stopped.signal.throwIfAborted();
        this.isReady = true;
      } catch (error) {
        this.stopped.signal.throwIfAborted();
        outage.failed('request log: ClickHouse does not answer, trying again', error, { address });
        await backoff(attempt, this.stopped.signal);
      }
    }
    outage.ended('request log: ClickHouse answers');
    this.log.info({ address }, 'request log: stored in ClickHouse');
  }
}
