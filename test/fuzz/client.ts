import { once } from 'node:events';
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface ReceivedResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A request fails if it has no response after this time. */
const deadlineMs = 10_000;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Sends a request without normalization, and reads the response; of an event stream, only the first chunk. */
export async function send(
  origin: string,
  method: string,
  path: string,
  headers: (readonly [string, string])[] = [],
  { body, chunked = false }: { body?: string | undefined; chunked?: boolean } = {},
): Promise<ReceivedResponse> {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const length = chunked ? ['transfer-encoding', 'chunked'] : ['content-length', String(bytes?.length)];
  const { host, hostname, port } = new URL(origin);
  const outgoing = request({
    agent,
    hostname,
    port,
    method,
    path,
    headers: ['host', host, ...headers.flat(), ...(bytes ? length : [])],
    signal: AbortSignal.timeout(deadlineMs),
  });
  outgoing.end(bytes);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await bodyOf(response, method) };
}

async function bodyOf(response: IncomingMessage, method: string): Promise<string> {
  const isEndless = response.headers['content-type']?.startsWith('text/event-stream') && method !== 'HEAD';
  if (!isEndless) return text(response);
  const [chunk] = await once(response, 'data');
  response.destroy();
  return String(chunk);
}
