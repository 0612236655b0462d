import type { FastifyReply } from 'fastify';
import { chargeKey } from '../plugins/api-keys/charge-key.js';
import type { AuthenticatedKey } from '../plugins/api-keys/index.js';
import { type CountedLimit, createMemoryCounter } from '../plugins/limits/counter.js';
import type { Limits } from '../plugins/limits/index.js';
import type { ChargeResult } from '../plugins/limits/limit-state.js';
import { addLimitHeaders } from '../plugins/limits/limit-state.js';
import { QuotaCounter } from '../plugins/limits/quota-counter.js';
import { PreparedResponse } from '../plugins/security-headers/prepared-response.js';

const rounds = 9;
const requestsPerRound = 100_000;
const windows = [1, 60];

/**
 * Measures in this process what the limits of a key add to a request: counting and headers. A load test cannot show it, because it is
 * less than the differences between two runs of the same server.
 *
 * @returns microseconds of CPU a request by the number of limits: the medians of rounds that take turns, less those without limits
 */
export function measureLimitCost(): { one: number; two: number } {
  const counter = createMemoryCounter();
  const limits: Limits = {
    charge: (counted, cost, charged) => counter(counted, cost, (_error, result) => charged(result as ChargeResult)),
    quotas: new QuotaCounter(1),
  };
  const measured = [0, 1, 2].map((count) => ({ key: keyWith(count), costs: [] as number[] }));
  for (let round = 0; round <= rounds; round++)
    for (const { key, costs } of measured) {
      const cost = costOf(limits, key);
      // The first round is the warm-up.
      if (round > 0) costs.push(cost);
    }
  const [none = 0, one = 0, two = 0] = measured.map(({ costs }) => costs.toSorted((a, b) => a - b)[(rounds - 1) / 2]);
  return { one: one - none, two: two - none };
}

function costOf(limits: Limits, key: AuthenticatedKey): number {
  const before = process.cpuUsage();
  for (let i = 0; i < requestsPerRound; i++) {
    const reply = { raw: Object.create(PreparedResponse.prototype, { lines: { value: '', writable: true } }) };
    chargeKey(limits, key, 'VALID', 1, ({ states }) => addLimitHeaders(reply as FastifyReply, states));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / requestsPerRound;
}

/** The fields of a key that are charged. */
function keyWith(limitCount: number): AuthenticatedKey {
  const limits = windows.slice(0, limitCount).map(
    (windowSeconds): CountedLimit => ({
      ...{ kind: 'key', id: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07', windowSeconds, limit: 1_000_000_000 },
      ...{ name: `w${windowSeconds}s`, policy: `w${windowSeconds}s` },
    }),
  );
  return { limits, quotas: [] as const } as unknown as AuthenticatedKey;
}
