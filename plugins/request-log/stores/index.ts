import type { FastifyInstance } from 'fastify';
import type { RequestLogStore } from '../store.js';
import { ChargeStore } from './postgres/charge-store.js';
import { PostgresStore } from './postgres/index.js';

/** @param clickHouseUrl undefined: PostgreSQL */
export async function openStore(
  { prisma, database, limits, log }: FastifyInstance,
  clickHouseUrl: string | undefined,
  retention: { retentionDays: number; statsRetentionDays: number },
): Promise<RequestLogStore> {
  if (clickHouseUrl === undefined) return new PostgresStore(prisma, database, retention, log, limits.quotas);
  // Loaded on demand, so that a process without ClickHouse does not have its client.
  const [{ ClickHouseStore }, { ChargeQueue }] = await Promise.all([
    import('./clickhouse/index.js'),
    import('./clickhouse/charges.js'),
  ]);
  const charges = new ChargeQueue(new ChargeStore(database), limits.quotas, log);
  return new ClickHouseStore(clickHouseUrl, retention, charges, log);
}
