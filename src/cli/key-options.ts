import { canonicalNetwork, maxAllowedIps } from '../../plugins/api-keys/allowed-ips.js';
import { type Metadata, namePattern, ownerIdPattern, prefixPattern } from '../../plugins/api-keys/key-fields.js';
import { type KeyFilter, minSearchLength } from '../../plugins/api-keys/key-list.js';
import { metadataFault } from '../../plugins/api-keys/metadata.js';
import { grantedScopePattern } from '../../plugins/api-keys/scopes.js';
import { type Limit, limitsHint, parseLimits } from '../../plugins/limits/limit.js';
import { parseQuota, type Quota, quotaHint } from '../../plugins/limits/quota.js';
import { CommandError, parseCommandLine } from './command-line.js';

// Each function returns the value of an option, undefined when it is not given, and throws a CommandError when it is invalid.

const maxScopes = 32;

export type Options = ReturnType<typeof parse>['values'] & { id: string | undefined };

/** Parses the options of all `keys` commands. @throws CommandError for unknown ones */
export function parse(args: string[]) {
  return parseCommandLine('keys', {
    args,
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      scope: { type: 'string', multiple: true },
      'expires-at': { type: 'string' },
      'rate-limit': { type: 'string' },
      limit: { type: 'string', multiple: true },
      quota: { type: 'string' },
      'reset-quota': { type: 'boolean', default: false },
      owner: { type: 'string' },
      busiest: { type: 'boolean', default: false },
      metadata: { type: 'string' },
      prefix: { type: 'string' },
      'allowed-ip': { type: 'string', multiple: true },
      q: { type: 'string' },
      active: { type: 'string' },
      'expires-before': { type: 'string' },
      'expires-after': { type: 'string' },
      'last-used-before': { type: 'string' },
      action: { type: 'string' },
      actor: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      grace: { type: 'string' },
      output: { type: 'string', short: 'o' },
      force: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

export function nameOf({ name }: Options): string | undefined {
  if (name === undefined || (name.trim() && new RegExp(namePattern, 'u').test(name))) return name;
  throw new CommandError('--name must be one line of 1 to 100 characters');
}

export function scopesOf({ scope: scopes }: Options): string[] | undefined {
  const wrong = scopes?.find((scope) => !new RegExp(grantedScopePattern).test(scope));
  if (wrong !== undefined)
    throw new CommandError(`--scope must consist of letters a to z, digits and : _ . -, or end in :*; not "${wrong}"`);
  if (scopes && scopes.length > maxScopes) throw new CommandError(`--scope can be given ${maxScopes} times`);
  return scopes && [...new Set(scopes)];
}

export const expiryHint = 'must be a time in the future, such as 2030-01-31T00:00:00Z';

/** @returns null for `never` */
export function expiryOf(options: Options): Date | null | undefined {
  const text = options['expires-at'];
  if (text === undefined) return undefined;
  if (text === 'never') return null;
  const expiresAt = new Date(text);
  if (expiresAt.getTime() >= 0 && expiresAt.getUTCFullYear() < 10_000) return expiresAt;
  throw new CommandError(`--expires-at ${expiryHint}; not "${text}"`);
}

export function ownerOf({ owner }: Options): string | undefined {
  if (owner === undefined || new RegExp(ownerIdPattern, 'u').test(owner)) return owner;
  throw new CommandError('--owner must be 1 to 200 printable characters');
}

export function allowedIpsOf(options: Options): string[] | undefined {
  const texts = options['allowed-ip'];
  if (texts && texts.length > maxAllowedIps) throw new CommandError(`--allowed-ip can be given ${maxAllowedIps} times`);
  const networks = texts?.map((text) => {
    const network = canonicalNetwork(text);
    if (network !== undefined) return network;
    throw new CommandError(`--allowed-ip must be an address or a network such as 10.0.0.0/8; not "${text}"`);
  });
  return networks && [...new Set(networks)];
}

/** @returns an empty list for `default` or `none` */
export function limitsOf({ limit: texts }: Options): Limit[] | undefined {
  if (texts === undefined) return undefined;
  const text = texts.join();
  if (text === 'default' || text === 'none') return [];
  const limits = parseLimits(text);
  if (limits === undefined) throw new CommandError(`--limit must be ${limitsHint}; not "${text}"`);
  return limits;
}

/** @returns null for `none` */
export function quotaOf({ quota: text }: Options): Quota | null | undefined {
  if (text === undefined) return undefined;
  if (text === 'none') return null;
  const quota = parseQuota(text);
  if (quota === undefined) throw new CommandError(`--quota must be ${quotaHint}; not "${text}"`);
  return quota;
}

export function prefixOf({ prefix }: Options): string | undefined {
  if (prefix === undefined || new RegExp(prefixPattern).test(prefix)) return prefix;
  throw new CommandError('--prefix must be 1 to 16 lower-case letters and digits, a letter first');
}

export function metadataOf({ metadata: text }: Options): Metadata | undefined {
  if (text === undefined) return undefined;
  const metadata = parseJson(text);
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw new CommandError(`--metadata must be a JSON object such as '{"plan":"pro"}'`);
  const fault = metadataFault(metadata as Metadata);
  if (fault) throw new CommandError(`--metadata ${fault}`);
  return metadata as Metadata;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function filterOf(options: Options): KeyFilter {
  const { q, active } = options;
  const [scope, ...more] = scopesOf(options) ?? [];
  if (more.length > 0) throw new CommandError('keys list takes one --scope');
  if (q !== undefined && q.length < minSearchLength)
    throw new CommandError(`--q must have at least ${minSearchLength} characters; not "${q}"`);
  if (active !== undefined && !['true', 'false'].includes(active))
    throw new CommandError(`--active must be true or false; not "${active}"`);
  return {
    ownerId: ownerOf(options),
    q,
    scope,
    active: active === undefined ? undefined : active === 'true',
    expiresBefore: timeOf(options, 'expires-before'),
    expiresAfter: timeOf(options, 'expires-after'),
    lastUsedBefore: timeOf(options, 'last-used-before'),
  };
}

export function oneOf(options: Options, name: 'action' | 'actor', words: string[]): string | undefined {
  const word = options[name];
  if (word === undefined || words.includes(word)) return word;
  throw new CommandError(`--${name} must be one of ${words.join(', ')}; not "${word}"`);
}

export function timeOf(
  options: Options,
  name: 'expires-before' | 'expires-after' | 'last-used-before' | 'from' | 'to',
): Date | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (time.getTime() >= 0 && time.getUTCFullYear() < 10_000) return time;
  throw new CommandError(`--${name} must be a time such as 2030-01-31T00:00:00Z; not "${text}"`);
}

export function idOf({ id }: Options, command: string): string {
  if (id === undefined) throw new CommandError(`keys ${command} requires an ID, which "keys list" shows`);
  return id;
}

export function integerOf(
  options: Options,
  name: 'rate-limit' | 'grace',
  min: number,
  max: number,
): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new CommandError(`--${name} must be a whole number from ${min} to ${max}; not "${text}"`);
}
