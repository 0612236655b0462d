import { hash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomLength = 32;
const checksumLength = 6;
const displayedLength = 8;

/**
 * Makes a key: `<prefix>_`, 32 random base62 characters (190 bits) and 6 characters of checksum.
 *
 * @param prefix tells a secret scanner whose key it is
 */
export function generateKey(prefix: string): string {
  let body = `${prefix}_`;
  for (let i = 0; i < randomLength; i++) body += alphabet[randomInt(alphabet.length)];
  return body + checksum(body);
}

/** Whether `text` has the form of a key and its checksum fits: a mistyped key is refused without asking the database. */
export function isWellFormedKey(text: string, prefix: string): boolean {
  if (text.length !== prefix.length + 1 + randomLength + checksumLength || !text.startsWith(`${prefix}_`)) return false;
  const body = text.slice(0, -checksumLength);
  return /^[0-9A-Za-z]+$/.test(body.slice(prefix.length + 1)) && text.endsWith(checksum(body));
}

/** SHA-256 of the whole key in hex: what is stored. 190 random bits cannot be guessed, so a slow hash would add nothing. */
export function digestOf(key: string): string {
  return hash('sha256', key);
}

/** The first characters of a key, by which people tell keys apart: prefix, underscore and 8 characters. */
export function startOf(key: string, prefix: string): string {
  return key.slice(0, prefix.length + 1 + displayedLength);
}

/** CRC-32 (IEEE) of everything before it, in base62, left-padded with `0`. */
function checksum(body: string): string {
  let rest = crc32(body);
  let text = '';
  for (; rest > 0; rest = Math.floor(rest / 62)) text = alphabet[rest % 62] + text;
  return text.padStart(checksumLength, '0');
}
