import type { Socket } from 'node:net';
import { digestOf } from './key-format.js';

const last = Symbol('the last key of this connection');
type Connection = Socket & { [last]?: { key: string; digest: string } };

/**
 * The digest of a key that came by a connection. A client sends the same one with each of its requests, so it is worked
 * out once; the key itself is remembered for as long as the connection lasts, and no longer.
 */
export function digestOn(connection: Socket, key: string): string {
  const known = (connection as Connection)[last];
  if (known?.key === key) return known.digest;
  const digest = digestOf(key);
  (connection as Connection)[last] = { key, digest };
  return digest;
}
