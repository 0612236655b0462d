import { Agent, request } from 'node:http';
import type { Test } from 'tap';

/** An answer, and when it was there. */
export interface Answer {
  /** Its `x-request-id`. */
  id: string;
  status: number;
  /** What it says, where it is none of those from 200 to 299. */
  problem: string;
  /** Milliseconds since 1970. */
  at: number;
  /** How long it took, in milliseconds. */
  tookMs: number;
}

/**
 * Asks for `url` so many times a second, as well as it can, until it is stopped.
 *
 * @param connections how many clients it is spread over, each with a connection that it keeps
 */
export function steadyLoad(
  t: Pick<Test, 'teardown'>,
  url: string,
  headers: Record<string, string>,
  perSecond: number,
  connections = 10,
) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const answers: Answer[] = [];
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
      await ask(url, headers, agent).then(
        (answer) => answers.push(answer),
        (error: Error) => failures.push(error.message),
      );
      next = Math.max(next + (1_000 * connections) / perSecond, performance.now() - 100);
      await new Promise((resolve) => setTimeout(resolve, next - performance.now()));
    }
  });
  t.teardown(stop);
  return { answers, failures, stop };
}

function ask(url: string, headers: Record<string, string>, agent: Agent): Promise<Answer> {
  const askedAt = performance.now();
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
          tookMs: performance.now() - askedAt,
        }),
      );
      response.once('error', reject);
    });
    outgoing.once('error', reject).end();
  });
}
