import type { FastifyInstance } from 'fastify';
import { uuidv7obj } from 'uuidv7';
import { sealed } from '../plugins/request-log/batch.js';
import type { RequestRecord } from '../plugins/request-log/record.js';
import { BatchStore } from '../plugins/request-log/stores/postgres/batch-store.js';
import { firstIdAt, timeInId } from '../plugins/time-ordered-id.js';
import { type Client, pathOf, randomCount, randomEndpoint } from './clients.js';
import { endpoints, randomOutcome } from './shop.js';

const pastMs = 2 * 86_400_000;
const hourMs = 3_600_000;
const minuteMs = 60_000;
const batchRows = 5_000;
const stepMs = 10_000;

/**
 * Writes a generated history of the last two days, with the shop's latencies and error rates, as the service writes rows and
 * statistics. It includes an outage of the payment provider three hours ago, of 16 minutes.
 *
 * @param onProgress called with the share of the history that is written, from 0 to 1
 * @returns the number of rows
 */
export async function writeHistory(
  app: FastifyInstance,
  clients: Client[],
  onProgress: (share: number) => void,
  signal?: AbortSignal,
): Promise<number> {
  const end = Date.now();
  const isOutage = (time: number) => Math.abs(end - 3 * hourMs - time) < 8 * minuteMs;
  const store = new BatchStore(app.database, app.log);
  const lastUsed = new Map<string, Date>();
  let rows = 0;
  let batch: RequestRecord[] = [];

  for (let time = end - pastMs; time < end; time += stepMs) {
    for (const client of clients) {
      for (let left = randomCount(client.rateAt(time) * (stepMs / 1_000)); left > 0; left--)
        batch.push(recordOf(client, Math.min(end, time + Math.random() * stepMs), isOutage));
    }
    if (batch.length >= batchRows) await write();
  }
  await write();
  await setLastUsed();
  return rows;

  async function write() {
    signal?.throwIfAborted();
    batch.sort((a, b) => (a.id < b.id ? -1 : 1));
    const last = batch.at(-1);
    if (last === undefined) return;
    const rejected = await store.write(sealed(batch));
    if (rejected.length > 0) throw new Error(`the database rejects ${rejected.length} rows of the history`);
    for (const { apiKeyId, id } of batch) if (apiKeyId !== null) lastUsed.set(apiKeyId, new Date(timeInId(id)));
    rows += batch.length;
    batch = [];
    onProgress(1 - (end - timeInId(last.id)) / pastMs);
  }

  async function setLastUsed() {
    for (const [id, time] of lastUsed) await app.prisma.apiKey.update({ where: { id }, data: { lastUsed: time } });
  }
}

function recordOf(client: Client, time: number, isOutage: (time: number) => boolean): RequestRecord {
  const name = randomEndpoint(client);
  const { method, route } = endpoints[name];
  return {
    id: firstIdAt(new Date(time)).slice(0, 14) + uuidv7obj().toString().slice(14),
    method,
    path: pathOf(name).split('?', 1)[0] ?? '',
    route,
    ...randomOutcome(name, isOutage(time)),
    ip: client.ip,
    userAgent: client.userAgent,
    apiKeyId: client.id,
    ownerId: client.ownerId,
    outcome: 'VALID',
    verification: null,
    charges: [],
    traceId: null,
  };
}
