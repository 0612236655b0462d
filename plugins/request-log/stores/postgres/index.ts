import type { FastifyBaseLogger } from 'fastify';
import type { DatabaseHandle } from '../../../database/index.js';
import type { QuotaCounter } from '../../../limits/quota-counter.js';
import type { PrismaClient } from '../../../prisma/generated/client.js';
import type { Batch } from '../../batch.js';
import type { RequestLogFilter } from '../../filter.js';
import type { GroupKind } from '../../groups.js';
import type { KeyStatsQuery } from '../../key-stats.js';
import type { StatsQuery } from '../../stats.js';
import { minutesSince, type StatsRange } from '../../stats-range.js';
import type { RequestLogReader, RequestLogStore } from '../../store.js';
import type { UsageQuery } from '../../usage.js';
import { BatchStore } from './batch-store.js';
import { conditionsOf } from './conditions.js';
import { readGroups } from './groups.js';
import { readKeyStats } from './key-stats.js';
import { readEdges, readPages, readSlowest } from './rows.js';
import { readStats } from './stats.js';
import { readLimitedKeys, readOwners, readUsage } from './usage.js';

/** Reads the request log in PostgreSQL. */
export class PostgresReader<Handle extends Pick<DatabaseHandle, 'pool' | 'quotedSchema'>> implements RequestLogReader {
  private readonly prisma: PrismaClient;
  protected readonly database: Handle;

  constructor(prisma: PrismaClient, database: Handle) {
    this.prisma = prisma;
    this.database = database;
  }

  page(filter: RequestLogFilter, limit: number, before?: string) {
    const where = conditionsOf(filter, before);
    return this.prisma.requestLog.findMany({ where, orderBy: { id: 'desc' }, take: limit });
  }

  slowest(filter: RequestLogFilter, limit: number, isShort: boolean) {
    return readSlowest(this.prisma.requestLog, conditionsOf(filter), limit, isShort);
  }

  get(id: string) {
    return this.prisma.requestLog.findUnique({ where: { id } });
  }

  pages(filter: RequestLogFilter) {
    return readPages(this.prisma.requestLog, conditionsOf(filter));
  }

  edges({ from, to }: Pick<RequestLogFilter, 'from' | 'to'>) {
    return readEdges(this.prisma.requestLog, conditionsOf({ from, to }));
  }

  groups(kind: GroupKind, filter: RequestLogFilter & { from: string }) {
    return readGroups(this.prisma, kind, conditionsOf(filter));
  }

  stats(query: StatsQuery) {
    return readStats(this.database, query);
  }

  keyStats(query: KeyStatsQuery) {
    return readKeyStats(this.database, query);
  }

  usage(query: UsageQuery) {
    return readUsage(this.database, query);
  }

  owners(range: StatsRange) {
    return readOwners(this.database, range);
  }

  limitedKeys(range: StatsRange) {
    return readLimitedKeys(this.database, range);
  }
}

/** The request log in PostgreSQL: a table partitioned by day, and statistics that each batch updates. */
export class PostgresStore extends PostgresReader<DatabaseHandle> implements RequestLogStore {
  private readonly batches: BatchStore;
  readonly kind = 'postgresql';
  private readonly retentionDays: number;

  /** @param quotas called with the charges of each committed batch */
  constructor(
    prisma: PrismaClient,
    database: DatabaseHandle,
    { retentionDays }: { retentionDays: number },
    log: FastifyBaseLogger,
    quotas: Pick<QuotaCounter, 'settle'>,
  ) {
    super(prisma, database);
    this.retentionDays = retentionDays;
    this.batches = new BatchStore(database, log, quotas);
  }

  get isReady() {
    return this.database.isReady;
  }

  get ready() {
    return this.database.ready;
  }

  write(batch: Batch) {
    return this.batches.write(batch);
  }

  minutesSince(now: Date) {
    return minutesSince(now, this.retentionDays);
  }

  /** The connections are those of the database plugin. */
  async close() {}
}
