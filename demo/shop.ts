import { setTimeout as sleep } from 'node:timers/promises';
import createError from '@fastify/error';
import type { FastifyPluginAsync } from 'fastify';

/** A route of the shop: its handler and its history use the same figures. */
export interface Endpoint {
  method: 'GET' | 'POST' | 'PUT';
  /** In Fastify's syntax. */
  route: string;
  /** Returns a path that a client requests. */
  path: () => string;
  /** The median duration of a response. */
  typicalMs: number;
  /** The sigma of the log-normal distribution of durations: 0.3 is narrow, 0.9 is wide. */
  spread: number;
  success: number;
  /** The share of responses with each other status. */
  failures: Partial<Record<number, number>>;
}

export interface Outcome {
  statusCode: number;
  durationMs: number;
}

const number = (below: number) => Math.floor(Math.random() ** 2 * below) + 1;

export const endpoints = {
  products: {
    method: 'GET',
    route: '/v1/products',
    path: () => '/v1/products',
    typicalMs: 9,
    spread: 0.4,
    success: 200,
    failures: {},
  },
  product: {
    method: 'GET',
    route: '/v1/products/:id',
    path: () => `/v1/products/${number(400)}`,
    typicalMs: 4,
    spread: 0.4,
    success: 200,
    failures: { 404: 0.03 },
  },
  search: {
    method: 'GET',
    route: '/v1/search',
    path: () => `/v1/search?q=${['lamp', 'desk', 'chair', 'rug'][number(4) - 1]}`,
    typicalMs: 180,
    spread: 0.8,
    success: 200,
    failures: { 400: 0.01, 503: 0.002 },
  },
  basket: {
    method: 'PUT',
    route: '/v1/baskets/:id',
    path: () => `/v1/baskets/${number(900)}`,
    typicalMs: 14,
    spread: 0.5,
    success: 200,
    failures: { 409: 0.012 },
  },
  order: {
    method: 'POST',
    route: '/v1/orders',
    path: () => '/v1/orders',
    typicalMs: 60,
    spread: 0.5,
    success: 201,
    failures: { 400: 0.03, 402: 0.02, 502: 0.004 },
  },
  orders: {
    method: 'GET',
    route: '/v1/orders/:id',
    path: () => `/v1/orders/${number(5_000)}`,
    typicalMs: 7,
    spread: 0.5,
    success: 200,
    failures: { 404: 0.05 },
  },
  stock: {
    method: 'PUT',
    route: '/v1/stock/:id',
    path: () => `/v1/stock/${number(400)}`,
    typicalMs: 11,
    spread: 0.3,
    success: 204,
    failures: { 409: 0.02, 500: 0.001 },
  },
  report: {
    method: 'GET',
    route: '/v1/reports/:id',
    path: () => '/v1/reports/sales',
    typicalMs: 1_300,
    spread: 0.4,
    success: 200,
    failures: { 500: 0.01 },
  },
} satisfies Record<string, Endpoint>;
export type EndpointName = keyof typeof endpoints;

/** @param isOutage whether the payment provider is down: orders are then slow and often fail */
export function randomOutcome(name: EndpointName, isOutage: boolean): Outcome {
  const { typicalMs, spread, success, failures }: Endpoint = endpoints[name];
  const isAffected = isOutage && name === 'order';
  const durationMs = typicalMs * (isAffected ? 12 : 1) * Math.exp(spread * gauss());
  let remaining = Math.random();
  for (const [status, share = 0] of Object.entries({ ...failures, ...(isAffected && { 502: 0.3 }) })) {
    remaining -= share;
    if (remaining < 0) return { statusCode: Number(status), durationMs };
  }
  return { statusCode: success, durationMs };
}

const failed = new Map(
  (
    [
      [400, 'BAD_SEARCH', 'the search has no text'],
      [402, 'CARD_DECLINED', 'the card was declined'],
      [404, 'NOT_FOUND', 'no record has this id'],
      [409, 'CHANGED_MEANWHILE', 'the record was changed in the meantime'],
      [500, 'INTERNAL_ERROR', 'the shop failed to process the request'],
      [502, 'PAYMENTS_DOWN', 'the payment provider does not respond'],
      [503, 'SEARCH_BUSY', 'the search is overloaded'],
    ] as const
  ).map(([status, code, detail]) => [status as number, createError(code, detail, status)]),
);

/** The routes of a sample shop. They wait, sometimes fail, and require a key as your own routes would. */
export const shopRoutes: FastifyPluginAsync<{ isOutage: () => boolean }> = async (app, { isOutage }) => {
  for (const [name, { method, route, success }] of Object.entries(endpoints)) {
    app.route({
      method,
      url: route,
      onRequest: app.requireApiKey(method === 'GET' ? 'shop:read' : 'shop:write'),
      schema: { tags: ['shop'], summary: `The demo's ${name}` },
      async handler(_request, reply) {
        const { statusCode, durationMs } = randomOutcome(name as EndpointName, isOutage());
        await sleep(durationMs);
        const Failed = failed.get(statusCode);
        if (Failed) throw new Failed();
        return reply.code(success).send(success === 204 ? undefined : { ok: true });
      },
    });
  }
};

/** A random number from the standard normal distribution. */
function gauss(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
