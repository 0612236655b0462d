import type { Socket } from 'node:net';
import { digestOf } from './key-format.js';

const last = Symbol('the last key of this connection');
type Connection = Socket & { [last]?: { key: string; digest: string } };

/**
 * The digest of a key that was sent on a connection. Clients send the same key with each request, so key and digest are cached on
 * the socket until it closes.
 */
export function digestOn(connection: Socket, key: string): string {
  const known = (connection as Connection)[last];
  if (known?.key === key) return known.digest;
  const digest = digestOf(key);
  (connection as Connection)[last] = { key, digest };
  return digest;
}
