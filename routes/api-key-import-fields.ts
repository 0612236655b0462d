import AjvCompiler from '@fastify/ajv-compiler';
import { type Static, Type } from '@sinclair/typebox';
import type { ImportedKey } from '../plugins/api-keys/import.js';
import { digestOf, isWellFormedKey, startOf } from '../plugins/api-keys/key-format.js';
import { checkFields } from './api-key-checks.js';
import { NewApiKey } from './api-key-fields.js';
import { described, Id, lineOfText, nullable, oneOf, TimestampInput } from './fields.js';

const { prefix: _, ...fields } = NewApiKey.properties;

/** Years up to 9999, which the command line and SQL accept. */
const ImportedTime = Type.String({
  ...TimestampInput,
  pattern: TimestampInput.pattern?.replace('2\\d\\d', '[2-9]\\d\\d') ?? '',
});

const entry = {
  ...fields,
  active: Type.Optional(Type.Boolean()),
  start: Type.Optional(
    Type.String({ maxLength: 32, pattern: lineOfText, description: 'The first characters of the key, for display' }),
  ),
  expiresAt: Type.Optional(nullable(ImportedTime)),
  createdAt: Type.Optional(ImportedTime),
  lastUsed: Type.Optional(nullable(ImportedTime)),
  id: Type.Optional(Id),
  replaces: Type.Optional(nullable(Id)),
  replacedBy: Type.Optional(nullable(Id)),
};

/** A key to import, and a line of an export. */
export const ImportEntry = Type.Object(
  {
    sha256: Type.String({
      pattern: '^([0-9A-Fa-f]{64}|[A-Za-z0-9+/_-]{43}=?)$',
      description: 'SHA-256 of the whole key, in hex or base64',
    }),
    format: Type.Optional(
      described(oneOf('musicez', 'other'), 'musicez: the key was issued by this service; default: other'),
    ),
    ...entry,
  },
  { additionalProperties: false },
);
const PlainEntry = Type.Object(
  { key: Type.String({ minLength: 1, maxLength: 1_024, pattern: '^[!-+\\--~]+$' }), ...entry },
  { additionalProperties: false },
);

const times = ['/expiresAt', '/createdAt', '/lastUsed'];
const compile = AjvCompiler()(
  {},
  { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
);
const isEntry = compile({ schema: ImportEntry, method: '', url: '' });
const isPlainEntry = compile({ schema: PlainEntry, method: '', url: '' });

/** A line of an export that marks a deleted key. */
const DeletedEntry = Type.Object(
  { sha256: ImportEntry.properties.sha256, deleted: Type.Literal(true) },
  { additionalProperties: false },
);
const isDeletedEntry = compile({ schema: DeletedEntry, method: '', url: '' });

/** @returns the digest of a line of an export that marks a deleted key; undefined for other lines */
export function deletedDigestOf(value: unknown): string | undefined {
  return isDeletedEntry(value) ? hexOf((value as Static<typeof DeletedEntry>).sha256) : undefined;
}

/** The first fault of an entry. The path is relative to the entry. */
export interface EntryFault {
  path: string;
  message: string;
}

/**
 * Checks an entry.
 *
 * @param allowsPlainText whether the key can be given as plain text, in `key`
 */
export function parseEntry(value: unknown, { allowsPlainText = false } = {}): ImportedKey | EntryFault {
  const isPlain = typeof value === 'object' && value !== null && 'key' in value;
  if (isPlain && !allowsPlainText)
    return { path: '/key', message: 'is accepted on the command line only: send sha256' };
  const isValid = isPlain ? isPlainEntry : isEntry;
  if (!isValid(value)) {
    const { instancePath = '', message = 'is invalid', params } = isValid.errors?.[0] ?? {};
    if (times.includes(instancePath))
      return { path: instancePath, message: 'must be a time such as 2026-01-31T09:30:00Z' };
    const name = shortened(params?.additionalProperty) ?? params?.missingProperty;
    return { path: name === undefined ? instancePath : `${instancePath}/${name}`, message };
  }
  const { expiresAt, createdAt, lastUsed, ...rest } = value as Static<typeof ImportEntry>;
  const checked = checkFields(rest);
  if ('path' in checked) return checked;
  const { sha256, format, key, ...fields } = checked.fields as typeof rest & { key?: string };
  const digest = key === undefined ? hexOf(sha256) : digestOf(key);
  if (fields.start !== undefined && digestOf(fields.start) === digest)
    return { path: '/start', message: 'must not be the whole key' };
  return {
    ...fields,
    ...(expiresAt !== undefined && { expiresAt: timeOf(expiresAt) }),
    ...(createdAt !== undefined && { createdAt: new Date(createdAt) }),
    ...(lastUsed !== undefined && { lastUsed: timeOf(lastUsed) }),
    ...(key === undefined
      ? { digest, isForeign: format !== 'musicez' }
      : { digest, isForeign: !isWellFormedKey(key), start: fields.start ?? shownStart(key) }),
  };
}

/** The name of a field of the caller, of limited length and without control characters. */
function shortened(name: unknown): string | undefined {
  return name === undefined
    ? undefined
    : String(name)
        .slice(0, 16)
        .replace(/[^\w-]/g, '_');
}

function timeOf(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}

function hexOf(sha256: string): string {
  return sha256.length === 64 ? sha256.toLowerCase() : Buffer.from(sha256, 'base64').toString('hex');
}

/** A quarter of a key of another format, at most 12 characters: less could not be recognized, more would help to guess it. */
function shownStart(key: string): string {
  return isWellFormedKey(key) ? startOf(key) : key.slice(0, Math.min(12, Math.floor(key.length / 4)));
}
