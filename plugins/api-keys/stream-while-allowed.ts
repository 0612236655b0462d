import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const checkIntervalMs = 500;

/**
 * Creates the body of a long response, such as a large file or a stream of events. Checks the key again every 500 ms and aborts
 * the response when the check fails, even if the client does not read. The client sees a response without a proper end.
 *
 * @param scope the scope that the route requires
 * @param source the parts of the response, read only as fast as the client reads
 * @param isKeyCheckedBySource whether the source checks the key itself and ends cleanly; the first failed check is then ignored
 * @returns the stream; it is destroyed with the error that a new request would get
 */
export function streamWhileAllowed(
  app: FastifyInstance,
  request: FastifyRequest,
  scope: string | undefined,
  source: AsyncIterable<string | Buffer>,
  { isKeyCheckedBySource = false } = {},
): Readable {
  const stream = Readable.from(source);
  let isChecking = false;
  let ignoredFailures = isKeyCheckedBySource ? 1 : 0;
  const checkKey = async () => {
    // The client disconnected: an unread stream never ends by itself.
    if (request.raw.socket.destroyed) return void stream.destroy();
    if (isChecking) return;
    isChecking = true;
    const denial = await app.apiKeys.recheckKey(request, scope);
    isChecking = false;
    if (denial && ignoredFailures-- === 0) stream.destroy(denial);
  };
  const timer = setInterval(checkKey, checkIntervalMs).unref();
  stream.once('close', () => clearInterval(timer));
  return stream;
}
