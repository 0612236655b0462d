import { Prisma } from '../prisma/generated/client.js';
import { type Metadata, maxMetadataBytes } from './key-fields.js';

/** @returns why the metadata cannot be stored; undefined when it can */
export function metadataFault(metadata: Metadata): string | undefined {
  if (Buffer.byteLength(JSON.stringify(metadata)) > maxMetadataBytes)
    return `must be at most ${maxMetadataBytes} bytes as JSON`;
  return hasInvalidText(metadata) ? 'must not contain NUL characters or lone surrogates' : undefined;
}

/** Whether a text in it is one that PostgreSQL cannot store. */
function hasInvalidText(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0') || /[\ud800-\udfff]/u.test(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, inner]) => hasInvalidText(name) || hasInvalidText(inner));
}

/** The value of a JSON column for Prisma, for which null is ambiguous. */
export function jsonOf(value: object | null | undefined) {
  return value === null ? Prisma.DbNull : (value as Prisma.InputJsonObject | undefined);
}
