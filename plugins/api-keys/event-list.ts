import type { PrismaClient } from '../prisma/generated/client.js';
import { firstIdAt } from '../time-ordered-id.js';
import { keyNotFound } from './errors.js';
import type { ApiKeyEvent, EventFilter } from './key-fields.js';
import { withoutUndefined } from './without-undefined.js';

/** Lists events of keys, including deleted keys, newest first. */
export function createEventList(prisma: PrismaClient) {
  return {
    /**
     * The events of a key.
     *
     * @param cursor the last id of the previous page
     * @throws keyNotFound when no key has this id and no event of it is stored; only for the first page
     */
    async listKeyEvents(apiKeyId: string, limit: number, cursor?: string): Promise<ApiKeyEvent[]> {
      const events = await prisma.apiKeyEvent.findMany({
        where: { apiKeyId, ...(cursor !== undefined && { id: { lt: cursor } }) },
        orderBy: { id: 'desc' },
        take: limit,
      });
      const isUnknown = events.length === 0 && cursor === undefined;
      if (isUnknown && !(await prisma.apiKey.findUnique({ where: { id: apiKeyId }, select: { id: true } })))
        throw keyNotFound();
      return events.map(eventOf);
    },

    /** The events of all keys. */
    async listEvents({ limit, cursor, from, to, ...filter }: EventPage): Promise<ApiKeyEvent[]> {
      const createdAt = { ...(from && { gte: from }), ...(to && { lt: to }) };
      // The id starts with the time, with a difference of a millisecond. The indexes of the other fields end with the id.
      const id = { ...(from && { gte: firstIdAt(moved(from, -1)) }), ...(to && { lt: firstIdAt(moved(to, 2)) }) };
      const before = cursor === undefined ? {} : { lt: cursor };
      const events = await prisma.apiKeyEvent.findMany({
        where: { ...withoutUndefined(filter), createdAt, AND: [{ id }, { id: before }] },
        orderBy: { id: 'desc' },
        take: limit,
      });
      return events.map(eventOf);
    },
  };
}

/** The events of an owner are stored without a key. */
function eventOf<Row extends { apiKeyId: string }>(row: Row) {
  return { ...row, apiKeyId: row.apiKeyId || null };
}

export interface EventPage extends EventFilter {
  limit: number;
  /** The last id of the previous page. */
  cursor?: string | undefined;
}

function moved(time: Date, ms: number): Date {
  return new Date(time.getTime() + ms);
}
