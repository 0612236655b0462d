import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateKey } from '../plugins/api-keys/key-format.js';
import { type Client, pathOf, randomCount, randomEndpoint } from './clients.js';
import { endpoints } from './shop.js';

const minuteMs = 60_000;
const tickMs = 250;
/** More traffic than in the generated history, so that the dashboard shows changes. */
const liveTrafficFactor = 4;

export interface TrafficCounts {
  answered: number;
  /** Responses with a status of 500 or more. */
  errors: number;
  /** Requests without a response. */
  lost: number;
}

/** Called with the counts so far, and the time since the start of the traffic. */
type ReportCounts = (counts: Readonly<TrafficCounts>, elapsedMs: number) => void;

/** Whether the payment provider is down at this time after the start: one minute in five. */
export function isOutageAfter(elapsedMs: number): boolean {
  const minutes = (elapsedMs / minuteMs) % 5;
  return minutes > 1.5 && minutes < 2.5;
}

/** The factor of surges: six times the traffic, for 12 s in every 90 s. */
const surgeFactor = (elapsedMs: number) => (elapsedMs % (1.5 * minuteMs) > 1.3 * minuteMs ? 6 : 1);

/** Changes of keys, repeated every three minutes. */
const keyChanges = [
  { afterMs: 0.4 * minuteMs, name: 'warehouse sync', what: 'rotate' },
  { afterMs: 0.8 * minuteMs, name: 'old website', what: 'disable' },
  { afterMs: 1.8 * minuteMs, name: 'old website', what: 'enable' },
] as const;
const keyChangesPeriodMs = 3 * minuteMs;

/**
 * Sends the requests of the clients until `signal` is aborted, with surges, requests with unknown keys, and keys that are
 * rotated, disabled and enabled with the admin key.
 *
 * @param origin such as `http://127.0.0.1:3000`
 */
export async function sendTraffic(
  origin: string,
  adminKey: string,
  clients: Client[],
  report: ReportCounts,
  signal: AbortSignal,
): Promise<TrafficCounts> {
  const counts: TrafficCounts = { answered: 0, errors: 0, lost: 0 };
  // Each pending request adds a listener.
  setMaxListeners(0, signal);
  const startedAt = performance.now();
  let keyChangesUntil = 0;
  // At night the rates are low. With these, the dashboard shows live requests at once.
  for (const client of clients) void sendRequest(client);
  while (!signal.aborted) {
    const elapsedMs = performance.now() - startedAt;
    const factor = liveTrafficFactor * surgeFactor(elapsedMs) * (tickMs / 1_000);
    for (const client of clients) {
      for (let left = randomCount(client.rateAt(Date.now()) * factor); left > 0; left--) void sendRequest(client);
    }
    if (Math.random() < 0.02) void sendRequest(unknownClient());
    for (const event of keyChanges) {
      const at = Math.floor(elapsedMs / keyChangesPeriodMs) * keyChangesPeriodMs + event.afterMs;
      if (at > keyChangesUntil && at <= elapsedMs) void changeKey(event).catch(() => {});
    }
    keyChangesUntil = elapsedMs;
    report(counts, elapsedMs);
    await sleep(tickMs, undefined, { signal }).catch(() => {});
  }
  return counts;

  async function sendRequest(client: Client) {
    const name = randomEndpoint(client);
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

  async function changeKey({ name, what }: (typeof keyChanges)[number]) {
    const client = clients.find(({ key }) => key.name === name);
    if (!client) return;
    if (what !== 'rotate')
      return void (await sendAdminRequest('PATCH', `/${client.id}`, { active: what === 'enable' }));
    const { id, key } = await sendAdminRequest('POST', `/${client.id}/rotate`, { graceSeconds: 600 });
    Object.assign(client, { id, secret: key });
  }

  async function sendAdminRequest(method: string, path: string, body: object): Promise<{ id: string; key: string }> {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
    const response = await fetch(`${origin}/v1/api-keys${path}`, {
      method,
      headers,
      body: JSON.stringify(body),
      signal,
    });
    // The user may have changed this key in the dashboard. The caller ignores the error.
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.json() as Promise<{ id: string; key: string }>;
  }
}

/** The service accepts X-Forwarded-For from this computer, as from a proxy: the demo sets TRUST_PROXY. */
function headersOf({ secret, userAgent, ip }: Client): Record<string, string> {
  return { authorization: `Bearer ${secret}`, 'user-agent': userAgent, 'x-forwarded-for': ip };
}

function unknownClient(): Client {
  return {
    id: '',
    ownerId: null,
    secret: generateKey('mez'),
    key: { name: '' },
    userAgent: 'curl/7.88.1',
    ip: '192.0.2.66',
    requestWeights: { orders: 1 },
    rateAt: () => 0,
  };
}
