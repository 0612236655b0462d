import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import fp from 'fastify-plugin';

/**
 * Returns an address in canonical form: no port, brackets or zone; IPv4-mapped as IPv4; IPv6 as in RFC 5952.
 *
 * @param text such as `203.0.113.9:51234`, `[2001:DB8:0:0::2]:443` or `fe80::1%eth0`
 * @returns undefined if the text is not an address
 * @see https://www.rfc-editor.org/rfc/rfc5952
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const trimmed = text.trim().replace(/^"|"$/g, '');
  const [, bracketed] = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(trimmed) ?? [];
  const [, withoutPort] = /^([\d.]+):\d{1,5}$/.exec(trimmed) ?? [];
  const [address = ''] = (bracketed ?? withoutPort ?? trimmed).split('%', 1);
  if (isIPv4(address)) return bracketed === undefined ? address : undefined;
  return isIPv6(address) ? canonicalIPv6(address) : undefined;
}

function canonicalIPv6(address: string): string {
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return bits.flatMap((word) => [word >> 8, word & 255]).join('.');
}

const canonicalizedSockets = new WeakSet<object>();

/**
 * Writes the addresses of a request in canonical form, so that `request.ip`, limits, log and events agree. Drops the rightmost
 * invalid entry of `X-Forwarded-For` and all entries to its left: no trusted proxy wrote them.
 *
 * @param isForwarded whether X-Forwarded-For is used (TRUST_PROXY)
 */
export function canonicalizeAddresses({ socket, headers }: IncomingMessage, isForwarded: boolean): void {
  if (!canonicalizedSockets.has(socket)) {
    canonicalizedSockets.add(socket);
    const { remoteAddress } = socket;
    const canonical = remoteAddress === undefined ? undefined : canonicalAddress(remoteAddress);
    // Stored on the socket: remoteAddress is undefined after it has closed.
    if (canonical !== undefined) Object.defineProperty(socket, 'remoteAddress', { value: canonical });
  }
  const forwarded = isForwarded ? headers['x-forwarded-for'] : undefined;
  if (forwarded !== undefined) headers['x-forwarded-for'] = canonicalList(String(forwarded));
}

/** More proxies than any request passes; a client may send thousands of entries. */
const maxHops = 32;

function canonicalList(forwarded: string): string {
  const kept: string[] = [];
  for (const entry of forwarded.split(',').slice(-maxHops).reverse()) {
    const address = canonicalAddress(entry.trim());
    if (address === undefined) break;
    kept.push(address);
  }
  return kept.reverse().join(', ');
}

export interface ClientAddressOptions {
  /** @see FastifyServerOptions.trustProxy */
  trustProxy: boolean | string[];
}

/** `request.ip` as one canonical address. */
export default fp<ClientAddressOptions>(
  async (app, { trustProxy }) => {
    const isForwarded = trustProxy !== false;
    app.addHook('onRequest', (request, _reply, done) => {
      canonicalizeAddresses(request.raw, isForwarded);
      done();
    });
  },
  { name: 'client-address' },
);
