import { BlockList } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isWellFormedKey } from '../../plugins/api-keys/key-format.js';
import { DatabaseUrlError, targetOf } from '../../plugins/database/url.js';
import {
  type Limit,
  limitsHint,
  maxLimits,
  minuteName,
  parseLimits,
  perMinuteLimit,
  sortedByWindow,
} from '../../plugins/limits/limit.js';
import { ConfigError } from './error.js';

export function checkedUrl(name: string, value: string) {
  if (!isEscapedUrl(value)) throw new ConfigError(`${name} is not a URL (is every special character percent-encoded?)`);
  return value;
}

export function checkedDatabaseUrl(value: string) {
  try {
    targetOf(checkedUrl('DATABASE_URL', value));
    return value;
  } catch (error) {
    throw error instanceof DatabaseUrlError ? new ConfigError(`DATABASE_URL ${error.message}`) : error;
  }
}

/** @see ClickHouse */
export function checkedClickHouseUrl(value: string) {
  const { search, hash, pathname } = new URL(checkedUrl('REQUEST_LOG_URL', value));
  if (search + hash !== '' || !/^\/[^/]*$|^$/.test(pathname))
    throw new ConfigError(
      'REQUEST_LOG_URL must end with the name of the database, such as clickhouse://host:8123/musicez',
    );
  return value;
}

/** The address for all interfaces: `::` includes IPv4, but needs a machine with IPv6. */
export function anyAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return addresses.some(({ family }) => family === 'IPv6') ? '::' : '0.0.0.0';
}

/** Whether the URL parses, and its password is percent-encoded: an unescaped `/`, `?` or `#` could expose the password in logs. */
function isEscapedUrl(text: string) {
  try {
    const { pathname, search, hash } = new URL(text);
    return !(pathname + search + hash).includes('@') && decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}

/** Trims the line break at the end of mounted secrets. */
export function checkedKey(value: string | undefined) {
  const key = value?.trim();
  if (key !== undefined && !isWellFormedKey(key)) {
    const hint = /\s/.test(key) ? ': it has white space in the middle' : '';
    throw new ConfigError(
      `BOOTSTRAP_ADMIN_KEY is not a key${hint}; it must be a prefix, _, 32 base62 characters and their checksum; create one with "keys generate"`,
    );
  }
  return key;
}

/**
 * `true` trusts all peers. Otherwise a list of addresses, networks (CIDR) and the names `loopback`, `linklocal`, `uniquelocal`. A number of
 * hops is invalid: with it, Fastify trusts no peer.
 */
export function trustedProxies(value: string | undefined): boolean | string[] {
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  const proxies = value.split(',').map((proxy) => proxy.trim());
  const wrong = proxies.find((proxy) => !isProxy(proxy));
  if (wrong === undefined) return proxies;
  throw new ConfigError(
    `TRUST_PROXY must be true, false or a list of addresses and networks such as "loopback,10.0.0.0/8"; not ${JSON.stringify(wrong)}`,
  );
}

function isProxy(value: string) {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(value)) return true;
  const [address = '', bits] = value.split('/');
  // @fastify/proxy-addr rejects networks of all addresses; `true` is for that.
  if (bits !== undefined && !/^[1-9]\d*$/.test(bits)) return false;
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  try {
    new BlockList().addSubnet(address, bits === undefined ? 32 : Number(bits), family);
    return true;
  } catch {
    return false;
  }
}

/** The limits of keys without limits of their own. */
export function defaultLimits(text: string | undefined, perMinute: number | undefined): Limit[] {
  const limits = text === undefined ? [] : parseLimits(text);
  if (limits === undefined) throw new ConfigError(`RATE_LIMITS must be ${limitsHint}; not ${JSON.stringify(text)}`);
  if (perMinute === undefined) return limits;
  if (limits.some(({ name }) => name === minuteName))
    throw new ConfigError('RATE_LIMITS and RATE_LIMIT_PER_MINUTE both set the per-minute limit: remove one of them');
  if (limits.length === maxLimits)
    throw new ConfigError(`RATE_LIMITS and RATE_LIMIT_PER_MINUTE set more than ${maxLimits} limits`);
  return sortedByWindow([perMinuteLimit(perMinute), ...limits]);
}

/** The URL of a trace in the tracing system of the team, with a placeholder for its id. */
export function traceUrlTemplate(value: string | undefined): string | undefined {
  const example = value?.replaceAll('{traceId}', '0');
  if (value === undefined || (example !== value && /^https?:\/\/\S+$/.test(value) && URL.canParse(example ?? '')))
    return value;
  throw new ConfigError(
    `TRACE_URL must be an http or https URL with {traceId}, such as "https://tempo.example/trace/{traceId}"; not ${JSON.stringify(value)}`,
  );
}

/** Origins are compared as text, so they must have the format that browsers send: scheme, host and port. */
export function allowedOrigins(value: string | undefined): string[] {
  const origins = value?.split(',').map((origin) => origin.trim()) ?? [];
  const wrong = origins.find((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin);
  if (wrong === undefined) return origins;
  throw new ConfigError(
    `CORS_ORIGINS must list origins such as "https://app.example.com"; not ${JSON.stringify(wrong)}`,
  );
}
