import type { Choice } from '../url-state.js';
import type { FilterName } from './filter.js';

/** The names of filters in a search, such as `status:5xx`. */
export const termNames: Record<string, FilterName> = {
  method: 'method',
  path: 'path',
  prefix: 'pathPrefix',
  part: 'pathPart',
  route: 'route',
  status: 'statusCode',
  min: 'minDuration',
  max: 'maxDuration',
  key: 'apiKeyId',
  verified: 'verifiedApiKeyId',
  owner: 'ownerId',
  ip: 'ip',
  agent: 'userAgent',
  trace: 'traceId',
};

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** How the value of a filter is written, and what it must be. */
const values: Record<FilterName, { pattern: RegExp; rule: string }> = {
  method: { pattern: /^[A-Z-]{1,32}$/, rule: 'a method such as GET' },
  path: { pattern: /^\/.{0,1023}$/, rule: 'a path such as /v1/me' },
  pathPrefix: { pattern: /^.{1,1024}$/, rule: 'the beginning of a path' },
  pathPart: { pattern: /^.{3,200}$/, rule: 'a part of a path, of 3 characters or more' },
  route: { pattern: /^(-|\/.{0,1023})$/, rule: 'a template such as /v1/orders/:id' },
  statusCode: { pattern: /^([1-5]\d\d|[1-5]xx|[<>]=[1-5]\d\d)$/, rule: 'a status such as 500, 5xx or >=400' },
  minDuration: { pattern: /^\d{1,9}$/, rule: 'a duration such as 500 ms' },
  maxDuration: { pattern: /^\d{1,9}$/, rule: 'a duration such as 500 ms' },
  apiKeyId: { pattern: uuid, rule: 'the id of a key' },
  hasKey: { pattern: /^(true|false)$/, rule: 'true or false' },
  verifiedApiKeyId: { pattern: uuid, rule: 'the id of a key' },
  ownerId: { pattern: /^.{1,200}$/, rule: 'an owner, of at most 200 characters' },
  ip: { pattern: /^[0-9A-Fa-f:.]{2,45}$/, rule: 'an address such as 203.0.113.7' },
  userAgent: { pattern: /^.{3,200}$/, rule: 'a part of the user agent, of 3 characters or more' },
  traceId: { pattern: /^[0-9a-f]{32}$/, rule: 'a trace, of 32 hexadecimal digits' },
};

/** @throws Error with the rule that `text` breaks */
export function filterValueOf(name: FilterName, text: string): string {
  const isDuration = name === 'minDuration' || name === 'maxDuration';
  const value = isDuration ? (millisecondsIn(text) ?? text) : normalized(name, text);
  const { pattern, rule } = values[name];
  if (!pattern.test(value)) throw new Error(`“${text}” is not ${rule}.`);
  return value;
}

function normalized(name: FilterName, text: string): string {
  if (name === 'method') return text.toUpperCase();
  if (name === 'traceId') return text.toLowerCase();
  if (name === 'statusCode') return text.toLowerCase().replace(/^([<>])(\d+)$/, boundOf);
  return text;
}

/** The API has only `>=` and `<=`. */
function boundOf(_text: string, sign: string, status: string): string {
  return sign === '>' ? `>=${Number(status) + 1}` : `<=${Number(status) - 1}`;
}

/** @returns the milliseconds of a duration such as `500`, `500 ms` or `1.5s` */
function millisecondsIn(text: string): string | undefined {
  const [, amount, unit = 'ms'] = /^(\d+(?:\.\d+)?) ?(ms|s|m)?$/.exec(text.trim()) ?? [];
  if (amount === undefined) return undefined;
  return String(Math.round(Number(amount) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm']));
}

/**
 * Understands a search: terms such as `POST 5xx >500ms /v1/orders owner:customer-4711`, separated by spaces.
 *
 * @returns the filters
 * @throws Error that says what is not understood
 */
export function filtersIn(search: string): Choice {
  const terms = search.match(/\w+:"[^"]*"|\S+/g) ?? [];
  return Object.assign({}, ...terms.map(filterIn));
}

function filterIn(term: string): Choice {
  const [, name = '', quoted = ''] = /^([a-z]+):(.+)$/.exec(term) ?? [];
  const text = quoted.replace(/^"(.*)"$/, '$1');
  if (term === 'key:none') return { hasKey: 'false' };
  const known = termNames[name];
  if (known) return { [known]: filterValueOf(known, text) };
  if (term.startsWith('/')) return term.includes('/:') ? { route: term } : { pathPrefix: term.replace(/\*$/, '') };
  if (/^[<>]=?\d+(\.\d+)?(ms|s|m)$/.test(term)) {
    const field = term.startsWith('>') ? 'minDuration' : 'maxDuration';
    return { [field]: filterValueOf(field, term.replace(/^[<>]=?/, '')) };
  }
  if (values.statusCode.pattern.test(normalized('statusCode', term)))
    return { statusCode: filterValueOf('statusCode', term) };
  if (/^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)$/i.test(term)) return { method: term.toUpperCase() };
  if (uuid.test(term)) return { request: term };
  if (values.traceId.pattern.test(term.toLowerCase())) return { traceId: term.toLowerCase() };
  if (/^\d+\.\d+\.\d+\.\d+$/.test(term) || (term.includes(':') && values.ip.pattern.test(term))) return { ip: term };
  if (/^\d+$/.test(term)) throw new Error(`“${term}” is not a status. A duration is written as >${term}ms.`);
  return { pathPart: filterValueOf('pathPart', term) };
}
