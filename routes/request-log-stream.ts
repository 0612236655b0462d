import { Readable } from 'node:stream';
import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox';
import { logsRead } from '../plugins/api-keys/index.js';
import { streamWhileAllowed } from '../plugins/api-keys/stream-while-allowed.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { matcherOf } from '../plugins/request-log/filter.js';
import { checkedKeyOf, type RequestRecord } from '../plugins/request-log/record.js';
import { Tail, type TailChunk } from '../plugins/request-log/tail.js';
import { timeInId } from '../plugins/time-ordered-id.js';
import { requestLogFilter } from './request-log-fields.js';

const { from: _, to: __, ...liveFilter } = requestLogFilter;
const Filter = Type.Object(liveFilter, { additionalProperties: false });

/** How many events are queued for a slow client. */
const maxRecords = 1_000;
const waitMs = 500;
/** Proxies close connections that are silent for a minute. */
const keepAliveIntervalMs = 15_000;

/**
 * Streams requests of this replica as server-sent events: `request` has an entry of the log, `missed` the number of events that did not
 * fit into the queue of a slow client.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export const requestLogStreamRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const tails = new Set<Tail>();
  let isClosing = false;
  app.requestLog.onRecord((records) => {
    for (const tail of tails) tail.push(records);
  });
  app.addHook('preClose', async () => {
    isClosing = true;
  });

  app.get(
    '/v1/request-logs/stream',
    {
      onRequest: app.requireApiKey(logsRead),
      schema: {
        tags: ['request log'],
        operationId: 'streamRequestLogs',
        summary: 'Stream the requests of this replica',
        description:
          'Server-sent events: `request`, its data an entry of the log; `missed`, its data `{"count": N}`, when the client is more than a thousand events behind. Ends when the key is no longer valid, and when the service stops.',
        security: keySecurity,
        querystring: Filter,
        response: {
          200: {
            description: 'Events, until the client disconnects',
            content: {
              'text/event-stream': {
                schema: Type.Unsafe<Readable>({ type: 'string' }),
                example: eventOf('missed', { count: 12 }),
              },
            },
          },
          ...problems(400, 401, 403, 429, 500, 503),
        },
      },
    },
    async (request, reply) => {
      reply.type('text/event-stream').header('cache-control', 'no-store').header('x-accel-buffering', 'no');
      // A HEAD request has no body, so it would never end.
      if (request.method === 'HEAD') return Readable.from([]);
      const tail = new Tail(matcherOf(request.query), maxRecords);
      return streamWhileAllowed(app, request, logsRead, events(), { isKeyCheckedBySource: true });

      async function* events() {
        try {
          // Unsubscribes here: a generator that is never read does not run its finally block.
          tails.add(tail);
          yield ': listening\n\n';
          let keepAliveSentAt = performance.now();
          while (!isClosing && !reply.raw.destroyed && !(await app.apiKeys.recheckKey(request, logsRead))) {
            const text = textOf(await tail.next(waitMs));
            const isSilent = text === '' && performance.now() - keepAliveSentAt > keepAliveIntervalMs;
            if (text === '' && !isSilent) continue;
            keepAliveSentAt = performance.now();
            yield text || ': nothing yet\n\n';
          }
        } finally {
          tails.delete(tail);
        }
      }
    },
  );
};

function textOf({ records, missed }: TailChunk): string {
  const events = records.map((record) => eventOf('request', entryOf(record), record.id));
  if (missed > 0) events.push(eventOf('missed', { count: missed }));
  return events.join('');
}

function eventOf(event: string, data: object, id?: string) {
  return `event: ${event}\n${id ? `id: ${id}\n` : ''}data: ${JSON.stringify(data)}\n\n`;
}

/** The entry of a record, as its row will have it. */
function entryOf(record: RequestRecord) {
  const { id, method, path, route, statusCode, durationMs, ip, userAgent, apiKeyId, traceId } = record;
  const [createdAt, duration] = [new Date(timeInId(id)), Math.round(durationMs)];
  const checked = checkedKeyOf(record);
  return { id, method, path, statusCode, duration, ip, userAgent, apiKeyId, createdAt, route, traceId, ...checked };
}
