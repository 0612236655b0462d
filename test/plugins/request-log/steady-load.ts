import { Agent, request } from 'node:http';
import type { Test } from 'tap';

/** A response and the time of its arrival. */
export interface LoadResponse {
  /** Its `x-request-id`. */
  id: string;
  status: number;
  /** The body of a response outside of 200 to 299. */
  problem: string;
  /** Milliseconds since 1970. */
  at: number;
  /** How long it took, in milliseconds. */
  tookMs: number;
}

/**
 * Requests `url` up to `perSecond` times a second until it is stopped.
 *
 * @param connections the number of clients that share the load, each with a keep-alive connection
 */
export function steadyLoad(
  t: Pick<Test, 'teardown'>,
  url: string,
  headers: Record<string, string>,
  perSecond: number,
  connections = 10,
) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const responses: LoadResponse[] = [];
  const failures: string[] = [];
  let isStopped = false;
  const stop = async () => {
    isStopped = true;
    await Promise.all(clients);
    agent.destroy();
  };
  const clients = Array.from({ length: connections }, async () => {
    let next = performance.now();
    while (!isStopped) {
      await send(url, headers, agent).then(
        (response) => responses.push(response),
        (error: Error) => failures.push(error.message),
      );
      next = Math.max(next + (1_000 * connections) / perSecond, performance.now() - 100);
      await new Promise((resolve) => setTimeout(resolve, next - performance.now()));
    }
  });
  t.teardown(stop);
  return { responses, failures, stop };
}

function send(url: string, headers: Record<string, string>, agent: Agent): Promise<LoadResponse> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers, agent }, (response) => {
      const { statusCode: status = 0 } = response;
      let problem = '';
      if (status >= 300) response.on('data', (chunk) => (problem += chunk));
      response.resume().once('end', () =>
        resolve({
          id: String(response.headers['x-request-id']),
          status,
          problem,
          at: Date.now(),
          tookMs: performance.now() - startedAt,
        }),
      );
      response.once('error', reject);
    });
    outgoing.once('error', reject).end();
  });
}
