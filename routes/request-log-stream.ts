import { Readable } from 'node:stream';
import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox';
import { adminScope } from '../plugins/api-keys/index.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { arrivalOf, type RequestRecord } from '../plugins/request-log/record.js';
import { type News, Tail } from '../plugins/request-log/tail.js';
import { requestLogFilter } from './request-log-fields.js';

const { from: _, to: __, ...liveFilter } = requestLogFilter;
const Filter = Type.Object(liveFilter, { additionalProperties: false });

/** What a client may be behind. */
const maxRecords = 1_000;
/** A client that goes away, and a key that is revoked, end their streams as soon. */
const checkEveryMs = 500;
/** Proxies close what is silent for a minute. */
const remarkEveryMs = 15_000;

/**
 * Requests as they are answered, as server-sent events: `request` with an entry of the log, and `missed` with how many a
 * client was too slow for.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export const requestLogStreamRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const tails = new Set<Tail>();
  let isClosing = false;
  app.requestLog.onRecords((records) => {
    for (const tail of tails) tail.push(records);
  });
  app.addHook('preClose', async () => {
    isClosing = true;
  });

  app.get(
    '/v1/request-logs/stream',
    {
      onRequest: app.requireApiKey(adminScope),
      schema: {
        tags: ['request log'],
        operationId: 'streamRequestLogs',
        summary: 'Requests as they are answered by this replica',
        description:
          'Server-sent events: `request`, its data an entry of the log; `missed`, its data `{"count": N}`, when the client is more than a thousand behind. Ends when the key is no longer good, and when the service stops.',
        security: keySecurity,
        querystring: Filter,
        response: {
          200: {
            description: 'Events, for as long as the client likes',
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
      // Nobody would read them, nor go away.
      if (request.method === 'HEAD') return Readable.from([]);
      const tail = new Tail(acceptorOf(request.query), maxRecords);
      return Readable.from(events());

      async function* events() {
        try {
          // Here, for what is never read never gets to its end.
          tails.add(tail);
          yield ': listening\n\n';
          let remarkedAt = performance.now();
          while (!isClosing && !reply.raw.destroyed && (await app.apiKeys.stillAllows(request, adminScope))) {
            const text = textOf(await tail.next(checkEveryMs));
            const isSilent = text === '' && performance.now() - remarkedAt > remarkEveryMs;
            if (text === '' && !isSilent) continue;
            remarkedAt = performance.now();
            yield text || ': nothing yet\n\n';
          }
        } finally {
          tails.delete(tail);
        }
      }
    },
  );
};

function acceptorOf({ method, path, route, statusCode, minDuration, apiKeyId }: typeof Filter.static) {
  return (record: RequestRecord) =>
    (method === undefined || record.method === method) &&
    (path === undefined || record.path === path) &&
    (route === undefined || record.route === route) &&
    (statusCode === undefined || record.statusCode === statusCode) &&
    (minDuration === undefined || Math.round(record.durationMs) >= minDuration) &&
    (apiKeyId === undefined || record.apiKeyId === apiKeyId);
}

function textOf({ records, missed }: News): string {
  const events = records.map((record) => eventOf('request', entryOf(record), record.id));
  if (missed > 0) events.push(eventOf('missed', { count: missed }));
  return events.join('');
}

function eventOf(event: string, data: object, id?: string) {
  return `event: ${event}\n${id ? `id: ${id}\n` : ''}data: ${JSON.stringify(data)}\n\n`;
}

/** As its row will be. */
function entryOf({ id, method, path, route, statusCode, durationMs, ip, userAgent, apiKeyId }: RequestRecord) {
  const createdAt = new Date(arrivalOf(id));
  return { id, method, path, statusCode, duration: Math.round(durationMs), ip, userAgent, apiKeyId, createdAt, route };
}
