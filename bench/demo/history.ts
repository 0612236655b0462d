import type { FastifyInstance } from 'fastify';
import { uuidv7obj } from 'uuidv7';
import { insertOf } from '../../plugins/request-log/insert.js';
import { arrivalOf, firstIdAt, type RequestRecord } from '../../plugins/request-log/record.js';
import { type Client, countOf, drawEndpoint, pathOf } from './clients.js';
import { drawOutcome, endpoints } from './shop.js';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const minuteMs = 60_000;
const batchRows = 5_000;
const stepMs = 10_000;

/**
 * Writes the day before as if it had been: made up, but by the shop's own figures and through the statement that the
 * service itself writes rows and statistics with. Three hours ago the provider of payments had a quarter of an hour of
 * trouble.
 *
 * @param tell told which share of the day is there
 * @returns how many rows
 */
export async function writeHistory(
  app: FastifyInstance,
  clients: Client[],
  tell: (share: number) => void,
  signal?: AbortSignal,
): Promise<number> {
  const end = Date.now();
  const isInTrouble = (time: number) => Math.abs(end - 3 * hourMs - time) < 8 * minuteMs;
  let rows = 0;
  let batch: RequestRecord[] = [];

  for (let time = end - dayMs; time < end; time += stepMs) {
    for (const client of clients) {
      for (let left = countOf(client.rateAt(time) * (stepMs / 1_000)); left > 0; left--)
        batch.push(recordOf(client, Math.min(end, time + Math.random() * stepMs), isInTrouble));
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
    await app.database.pool.query(insertOf(batch, 'prepared'));
    rows += batch.length;
    batch = [];
    tell(1 - (end - arrivalOf(last.id)) / dayMs);
  }

  async function setLastUsed() {
    for (const { id } of clients)
      await app.database.pool.query(
        `UPDATE api_keys SET "lastUsed" = (SELECT max("createdAt") FROM request_logs WHERE "apiKeyId" = $1) WHERE id = $1`,
        [id],
      );
  }
}

function recordOf(client: Client, time: number, isInTrouble: (time: number) => boolean): RequestRecord {
  const name = drawEndpoint(client);
  const { method, route } = endpoints[name];
  return {
    id: firstIdAt(new Date(time)).slice(0, 14) + uuidv7obj().toString().slice(14),
    method,
    path: pathOf(name).split('?', 1)[0] ?? '',
    route,
    ...drawOutcome(name, isInTrouble(time)),
    ip: client.ip,
    userAgent: client.userAgent,
    apiKeyId: client.id,
  };
}
