import pino from 'pino';
import { storedIds, writeBatch } from '../../plugins/request-log/stores/clickhouse/batches.js';
import { ClickHouse } from '../../plugins/request-log/stores/clickhouse/client.js';
import { ClickHouseReader } from '../../plugins/request-log/stores/clickhouse/index.js';
import { migrate } from '../../plugins/request-log/stores/clickhouse/schema.js';
import type { CopyTarget } from './log-copy.js';

/** Opens the request log in ClickHouse for one command, with its tables, and closes it afterwards. */
export async function withClickHouse(
  url: string,
  options: { requestTimeoutMs: number },
  work: (reader: ClickHouseReader, target: CopyTarget) => Promise<void>,
): Promise<void> {
  const clickHouse = new ClickHouse(url, options);
  const reader = new ClickHouseReader(url, options);
  const log = pino(pino.destination(2));
  try {
    await migrate(clickHouse);
    await work(reader, {
      write: (batch) => writeBatch(clickHouse, batch, log),
      storedIds: (ids) => storedIds(clickHouse, ids),
    });
  } finally {
    await Promise.all([clickHouse.close(), reader.close()]);
  }
}
