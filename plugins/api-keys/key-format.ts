import { hash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomLength = 32;
const checksumLength = 6;
const displayedLength = 8;
const isPrefix = /^[a-z][a-z0-9]{0,15}$/;
/** The format of a key, with any prefix. */
const form = /^[a-z][a-z0-9]{0,15}_[0-9A-Za-z]{38}$/;

/**
 * Generates a key: `<prefix>_`, 32 random base62 characters (190 bits) and 6 characters of checksum.
 *
 * @param prefix lets secret scanners recognize the key
 */
export function generateKey(prefix: string): string {
  let body = `${prefix}_`;
  for (let i = 0; i < randomLength; i++) body += alphabet[randomInt(alphabet.length)];
  return body + checksum(body);
}

/**
 * Whether `text` has the format of a key, with any prefix, and a valid checksum. A mistyped key is denied without a query.
 */
export function isWellFormedKey(text: string): boolean {
  return form.test(text) && text.endsWith(checksum(text.slice(0, -checksumLength)));
}

/** SHA-256 of the whole key in hex, which is stored. 190 random bits cannot be guessed, so a slow hash is not needed. */
export function digestOf(key: string): string {
  return hash('sha256', key);
}

/** The start of a key, to display: prefix, underscore and 8 characters. */
export function startOf(key: string): string {
  return key.slice(0, key.indexOf('_') + 1 + displayedLength);
}

/** The prefix of a key, from its start; undefined for keys of another format. */
export function prefixOf(start: string): string | undefined {
  const end = start.indexOf('_');
  const prefix = start.slice(0, Math.max(0, end));
  return start.length === end + 1 + displayedLength && isPrefix.test(prefix) ? prefix : undefined;
}

/** CRC-32 (IEEE) of `text` in base62, left-padded with `0`. */
function checksum(body: string): string {
  let rest = crc32(body);
  let text = '';
  for (; rest > 0; rest = Math.floor(rest / 62)) text = alphabet[rest % 62] + text;
  return text.padStart(checksumLength, '0');
}
