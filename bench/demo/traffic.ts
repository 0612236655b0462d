import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { type Client, countOf, drawEndpoint, pathOf } from './clients.js';
import { endpoints } from './shop.js';

const minuteMs = 60_000;
const tickMs = 250;
/** A bit more goes on than in the past that was made up, so that something moves while one looks. */
const liveliness = 4;

export interface TrafficCounts {
  answered: number;
  /** Answers from 500 on. */
  errors: number;
  /** No answer at all. */
  lost: number;
}

/** What a request is about, in one line, and how it ended: for whoever watches. */
type Tell = (counts: Readonly<TrafficCounts>, elapsedMs: number) => void;

/** Whether the provider of payments has trouble: one minute in five, so long after the start. */
export function isInTroubleAfter(elapsedMs: number): boolean {
  const minutes = (elapsedMs / minuteMs) % 5;
  return minutes > 1.5 && minutes < 2.5;
}

/** Once in a while everybody comes at once. */
const crowdAfter = (elapsedMs: number) => (elapsedMs % (1.5 * minuteMs) > 1.3 * minuteMs ? 6 : 1);

/** What happens to keys in three minutes, again and again. */
const keyLife = [
  { afterMs: 0.4 * minuteMs, name: 'warehouse sync', what: 'rotate' },
  { afterMs: 0.8 * minuteMs, name: 'old website', what: 'disable' },
  { afterMs: 1.8 * minuteMs, name: 'old website', what: 'enable' },
] as const;
const keyLifeMs = 3 * minuteMs;

/**
 * Sends what the clients ask for until `signal` is aborted: with gusts and crowds, strangers whose key is unknown, and
 * keys that are rotated, disabled and enabled by the admin key.
 *
 * @param origin such as `http://127.0.0.1:3000`
 */
export async function sendTraffic(
  origin: string,
  adminKey: string,
  clients: Client[],
  tell: Tell,
  signal: AbortSignal,
): Promise<TrafficCounts> {
  const counts: TrafficCounts = { answered: 0, errors: 0, lost: 0 };
  // Each request that is on its way listens.
  setMaxListeners(0, signal);
  const startedAt = performance.now();
  let keysUntil = 0;
  while (!signal.aborted) {
    const elapsedMs = performance.now() - startedAt;
    const factor = liveliness * crowdAfter(elapsedMs) * (tickMs / 1_000);
    for (const client of clients) {
      for (let left = countOf(client.rateAt(Date.now()) * factor); left > 0; left--) void askSoon(client);
    }
    if (Math.random() < 0.02) void askSoon(stranger());
    for (const event of keyLife) {
      const at = Math.floor(elapsedMs / keyLifeMs) * keyLifeMs + event.afterMs;
      if (at > keysUntil && at <= elapsedMs) void changeKey(event).catch(() => {});
    }
    keysUntil = elapsedMs;
    tell(counts, elapsedMs);
    await sleep(tickMs, undefined, { signal }).catch(() => {});
  }
  return counts;

  async function askSoon(client: Client) {
    const name = drawEndpoint(client);
    const { method } = endpoints[name];
    try {
      await sleep(Math.random() * tickMs, undefined, { signal });
      const response = await fetch(origin + pathOf(name), { method, headers: headersOf(client), signal });
      await response.arrayBuffer();
      counts.answered++;
      if (response.status >= 500) counts.errors++;
    } catch {
      if (!signal.aborted) counts.lost++;
    }
  }

  async function changeKey({ name, what }: (typeof keyLife)[number]) {
    const client = clients.find(({ key }) => key.name === name);
    if (!client) return;
    if (what !== 'rotate') return void (await administer('PATCH', `/${client.id}`, { active: what === 'enable' }));
    const { id, key } = await administer('POST', `/${client.id}/rotate`, { graceSeconds: 600 });
    Object.assign(client, { id, secret: key });
  }

  async function administer(method: string, path: string, body: object): Promise<{ id: string; key: string }> {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
    const response = await fetch(`${origin}/v1/api-keys${path}`, {
      method,
      headers,
      body: JSON.stringify(body),
      signal,
    });
    // Somebody who tries the dashboard out has changed this key: it is theirs.
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.json() as Promise<{ id: string; key: string }>;
  }
}

/** The service trusts what this computer says of where a request came from, as it would a proxy. */
function headersOf({ secret, userAgent, ip }: Client): Record<string, string> {
  return { authorization: `Bearer ${secret}`, 'user-agent': userAgent, 'x-forwarded-for': ip };
}

function stranger(): Client {
  return {
    id: '',
    secret: generateKey('mez'),
    key: { name: '' },
    userAgent: 'curl/7.88.1',
    ip: '192.0.2.66',
    asks: { orders: 1 },
    rateAt: () => 0,
  };
}
