import type { FastifyInstance } from 'fastify';
import type { NewApiKey } from '../../plugins/api-keys/store.js';
import { type EndpointName, endpoints } from './shop.js';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const minuteMs = 60_000;

interface Kind {
  key: NewApiKey;
  userAgent: string;
  ip: string;
  /** How often it asks for what, one beside the other. */
  asks: Partial<Record<EndpointName, number>>;
  /** Requests a second at a moment, in milliseconds since 1970. */
  rateAt: (time: number) => number;
}

/** Somebody who sends requests with a key of their own. */
export interface Client extends Kind {
  id: string;
  /** The key itself; another one once it has been rotated. */
  secret: string;
}

/** People sleep: from 0.25 at four in the morning to 1 in the afternoon, here. */
function wakefulness(time: number): number {
  const hour = new Date(time).getHours() + new Date(time).getMinutes() / 60;
  return 0.625 - 0.375 * Math.cos(((hour - 4) / 24) * 2 * Math.PI);
}

/** Waves and gusts, the same whenever one asks about the same moment. */
function weather(time: number): number {
  const minutes = time / minuteMs;
  return 1 + 0.18 * Math.sin(minutes / 7) + 0.12 * Math.sin(minutes / 2.3) + 0.08 * Math.sin(minutes * 1.7);
}

const everySo = (periodMs: number, lengthMs: number) => (time: number) => time % periodMs < lengthMs;
const isSyncing = everySo(15 * minuteMs, 50_000);
const isReporting = everySo(6 * hourMs, 20 * minuteMs);
const isPolling = everySo(2 * minuteMs, 12_000);

const kinds = (now: number): Kind[] => [
  {
    key: { name: 'storefront', scopes: ['shop:read', 'shop:write'] },
    userAgent: 'storefront/4.2 node',
    ip: '10.0.4.21',
    asks: { products: 5, product: 9, search: 4, basket: 4, order: 1.2, orders: 1 },
    rateAt: (time) => 0.5 * wakefulness(time) * weather(time),
  },
  {
    key: { name: 'mobile app', scopes: ['shop:read', 'shop:write'], expiresAt: new Date(now + 200 * dayMs) },
    userAgent: 'okhttp/4.12.0',
    ip: '10.0.4.22',
    asks: { products: 6, product: 6, search: 2, basket: 2, order: 0.8, orders: 3 },
    rateAt: (time) => 0.35 * wakefulness(time + 2 * hourMs) * weather(time * 1.3),
  },
  {
    key: { name: 'warehouse sync', scopes: ['shop:read', 'shop:write'] },
    userAgent: 'Go-http-client/1.1',
    ip: '10.0.9.7',
    asks: { stock: 9, orders: 1 },
    rateAt: (time) => (isSyncing(time) ? 2 : 0.01),
  },
  {
    key: {
      name: 'partner: Nordlicht',
      scopes: ['shop:read'],
      rateLimitPerMinute: 60,
      expiresAt: new Date(now + 9 * dayMs),
    },
    userAgent: 'python-requests/2.32.3',
    ip: '198.51.100.44',
    asks: { products: 3, product: 4, search: 1 },
    // More than it may, for a moment.
    rateAt: (time) => (isPolling(time) ? 2.2 : 0.05),
  },
  {
    key: { name: 'sales report', scopes: ['shop:read'] },
    userAgent: 'curl/8.5.0',
    ip: '10.0.2.3',
    asks: { report: 1 },
    rateAt: (time) => (isReporting(time) ? 0.1 : 0.002),
  },
  {
    key: { name: 'old website', scopes: ['shop:read'], expiresAt: new Date(now + 3 * hourMs) },
    userAgent: 'Mozilla/5.0 (compatible; legacy-shop/1.9)',
    ip: '203.0.113.80',
    asks: { products: 1, product: 2 },
    rateAt: (time) => 0.03 * weather(time),
  },
];

/** Makes a key for each of those who come to the shop. */
export async function makeClients(app: FastifyInstance): Promise<Client[]> {
  const clients: Client[] = [];
  for (const kind of kinds(Date.now())) {
    const { id, key } = await app.apiKeys.create(kind.key);
    clients.push({ ...kind, id, secret: key });
  }
  return clients;
}

/** What a client asks for next. */
export function drawEndpoint({ asks }: Client): EndpointName {
  const names = Object.keys(asks) as EndpointName[];
  const weight = (name: EndpointName) => asks[name] ?? 0;
  let luck = Math.random() * names.reduce((sum, name) => sum + weight(name), 0);
  for (const name of names) {
    luck -= weight(name);
    if (luck < 0) return name;
  }
  return 'products';
}

export const pathOf = (name: EndpointName) => endpoints[name].path();

/** A whole number that is `expected` on average. */
export function countOf(expected: number): number {
  return Math.floor(expected) + (Math.random() < expected % 1 ? 1 : 0);
}
