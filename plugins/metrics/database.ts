import type { FastifyInstance } from 'fastify';
import { registerGauge, registerGauges } from './register.js';

export function measureDatabase({ metrics, database }: FastifyInstance) {
  const { pool, keyPool, logPool } = database;
  // The embedded database has one pool.
  const pools = [...new Set([pool, keyPool, logPool])];
  const sum = (count: (each: typeof pool) => number) => pools.reduce((total, each) => total + count(each), 0);
  registerGauges(
    metrics,
    { name: 'musicez_database_connections', help: 'Connections of the pools, by state', label: 'state' },
    () => {
      const idle = sum(({ idleCount }) => idleCount);
      return { idle, used: sum(({ totalCount }) => totalCount) - idle };
    },
  );
  registerGauge(
    metrics,
    { name: 'musicez_database_waiting_queries', help: 'Queries in the queue for a connection' },
    () => sum(({ waitingCount }) => waitingCount),
  );
  registerGauge(
    metrics,
    {
      name: 'musicez_database_clock_offset_seconds',
      help: "How far the database's clock is ahead of the host's; NaN before the first comparison",
    },
    () => (database.clockOffsetMs === null ? Number.NaN : database.clockOffsetMs / 1000),
  );
}
