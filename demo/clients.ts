import type { FastifyInstance } from 'fastify';
import type { NewApiKey } from '../plugins/api-keys/key-fields.js';
import { type EndpointName, endpoints } from './shop.js';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const minuteMs = 60_000;

interface Kind {
  key: NewApiKey;
  userAgent: string;
  ip: string;
  /** The weights of its requests. */
  requestWeights: Partial<Record<EndpointName, number>>;
  /** Requests a second at a moment, in milliseconds since 1970. */
  rateAt: (time: number) => number;
}

/** A simulated client with a key. */
export interface Client extends Kind {
  id: string;
  ownerId: string | null;
  /** The full key. Changes when the key is rotated. */
  secret: string;
}

/** The daily cycle of traffic: from 0.25 at 4:00 to 1 at 16:00, local time. */
function timeOfDayFactor(time: number): number {
  const hour = new Date(time).getHours() + new Date(time).getMinutes() / 60;
  return 0.625 - 0.375 * Math.cos(((hour - 4) / 24) * 2 * Math.PI);
}

/** A factor that varies over minutes; the same for the same time. */
function randomVariation(time: number): number {
  const minutes = time / minuteMs;
  return 1 + 0.18 * Math.sin(minutes / 7) + 0.12 * Math.sin(minutes / 2.3) + 0.08 * Math.sin(minutes * 1.7);
}

const periodically = (periodMs: number, lengthMs: number) => (time: number) => time % periodMs < lengthMs;
const isSyncing = periodically(15 * minuteMs, 50_000);
const isReporting = periodically(6 * hourMs, 20 * minuteMs);
const isPolling = periodically(2 * minuteMs, 12_000);

const kinds = (now: number): Kind[] => [
  {
    key: { name: 'storefront', scopes: ['shop:read', 'shop:write'] },
    userAgent: 'storefront/4.2 node',
    ip: '10.0.4.21',
    requestWeights: { products: 5, product: 9, search: 4, basket: 4, order: 1.2, orders: 1 },
    rateAt: (time) => 0.5 * timeOfDayFactor(time) * randomVariation(time),
  },
  {
    key: { name: 'mobile app', scopes: ['shop:read', 'shop:write'], expiresAt: new Date(now + 200 * dayMs) },
    userAgent: 'okhttp/4.12.0',
    ip: '10.0.4.22',
    requestWeights: { products: 6, product: 6, search: 2, basket: 2, order: 0.8, orders: 3 },
    rateAt: (time) => 0.35 * timeOfDayFactor(time + 2 * hourMs) * randomVariation(time * 1.3),
  },
  {
    key: { name: 'warehouse sync', scopes: ['shop:read', 'shop:write'] },
    userAgent: 'Go-http-client/1.1',
    ip: '10.0.9.7',
    requestWeights: { stock: 9, orders: 1 },
    rateAt: (time) => (isSyncing(time) ? 2 : 0.01),
  },
  {
    key: {
      name: 'partner: Nordlicht',
      ownerId: 'nordlicht',
      metadata: { plan: 'partner' },
      scopes: ['shop:read'],
      rateLimitPerMinute: 60,
      expiresAt: new Date(now + 9 * dayMs),
    },
    userAgent: 'python-requests/2.32.3',
    ip: '198.51.100.44',
    requestWeights: { products: 3, product: 4, search: 1 },
    // Briefly exceeds its rate limit.
    rateAt: (time) => (isPolling(time) ? 2.2 : 0.05),
  },
  {
    key: { name: 'sales report', scopes: ['shop:read'] },
    userAgent: 'curl/8.5.0',
    ip: '10.0.2.3',
    requestWeights: { report: 1 },
    rateAt: (time) => (isReporting(time) ? 0.1 : 0.002),
  },
  {
    key: { name: 'old website', scopes: ['shop:read'], expiresAt: new Date(now + 3 * hourMs) },
    userAgent: 'Mozilla/5.0 (compatible; legacy-shop/1.9)',
    ip: '203.0.113.80',
    requestWeights: { products: 1, product: 2 },
    rateAt: (time) => 0.03 * randomVariation(time),
  },
];

/** Creates a key for each client. */
export async function makeClients(app: FastifyInstance): Promise<Client[]> {
  const clients: Client[] = [];
  for (const kind of kinds(Date.now())) {
    const { id, key, ownerId } = await app.apiKeys.create(kind.key);
    clients.push({ ...kind, id, ownerId, secret: key });
  }
  return clients;
}

/** The endpoint of a client's next request, chosen at random by weight. */
export function randomEndpoint({ requestWeights }: Client): EndpointName {
  const names = Object.keys(requestWeights) as EndpointName[];
  const weight = (name: EndpointName) => requestWeights[name] ?? 0;
  let remaining = Math.random() * names.reduce((sum, name) => sum + weight(name), 0);
  for (const name of names) {
    remaining -= weight(name);
    if (remaining < 0) return name;
  }
  return 'products';
}

export const pathOf = (name: EndpointName) => endpoints[name].path();

/** A random whole number with the mean `expected`. */
export function randomCount(expected: number): number {
  return Math.floor(expected) + (Math.random() < expected % 1 ? 1 : 0);
}
