import type { PrismaClient } from '../prisma/generated/client.js';
import { firstIdAt } from '../time-ordered-id.js';
import { keyNotFound } from './errors.js';
import type { ApiKeyEvent, EventFilter } from './key-fields.js';
import { withoutUndefined } from './without-undefined.js';

/** Lists of the events of keys, newest first, also of deleted keys. */
export function createEventList(prisma: PrismaClient) {
  return {
    /**
     * The events of a key.
     *
     * @param cursor the last id of the previous page
     * @throws keyNotFound when there was never a key of this id
     */
    async events(apiKeyId: string, limit: number, cursor?: string): Promise<ApiKeyEvent[]> {
      const events = await prisma.apiKeyEvent.findMany({
        where: { apiKeyId, ...(cursor !== undefined && { id: { lt: cursor } }) },
        orderBy: { id: 'desc' },
        take: limit,
      });
      const isUnknown = events.length === 0 && cursor === undefined;
      if (isUnknown && !(await prisma.apiKey.findUnique({ where: { id: apiKeyId }, select: { id: true } })))
        throw keyNotFound();
      return events;
    },

    /**
     * The events of all keys.
     *
     * @param page.cursor the last id of the previous page
     */
    listEvents({ limit, cursor, from, to, ...filter }: EventPage): Promise<ApiKeyEvent[]> {
      // The time is in the id, and so in the indexes of the other fields.
      const time = { ...(from && { gte: firstIdAt(from) }), ...(to && { lt: firstIdAt(to) }) };
      const before = cursor === undefined ? {} : { lt: cursor };
      return prisma.apiKeyEvent.findMany({
        where: { ...withoutUndefined(filter), AND: [{ id: time }, { id: before }] },
        orderBy: { id: 'desc' },
        take: limit,
      });
    },
  };
}

type EventPage = { limit: number; cursor?: string | undefined } & EventFilter;
