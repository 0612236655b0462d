import { canonicalNetwork } from '../plugins/api-keys/allowed-ips.js';
import type { Metadata } from '../plugins/api-keys/key-fields.js';
import { metadataFault } from '../plugins/api-keys/metadata.js';
import { type Limit, limitsFault, minuteName } from '../plugins/limits/limit.js';
import { badField } from '../plugins/problem-details/bad-field.js';

interface CheckedFields {
  metadata?: Metadata | null | undefined;
  allowedIps?: string[] | undefined;
  rateLimitPerMinute?: number | null | undefined;
  rateLimits?: Limit[] | undefined;
}

/**
 * Checks fields of a key for rules that a schema cannot express.
 *
 * @returns the fields, with addresses in canonical form, or the first fault
 */
export function checkFields<Fields extends CheckedFields>(
  fields: Fields,
): { fields: Fields } | { path: string; message: string } {
  const fault = fields.metadata && metadataFault(fields.metadata);
  if (fault) return { path: '/metadata', message: fault };
  const limitFault = fields.rateLimits && limitsFault(fields.rateLimits);
  if (limitFault) return { ...limitFault, path: `/rateLimits${limitFault.path}` };
  const perMinute = fields.rateLimits?.find(({ name }) => name === minuteName)?.limit ?? null;
  if (fields.rateLimits && fields.rateLimitPerMinute !== undefined && fields.rateLimitPerMinute !== perMinute)
    return { path: '/rateLimitPerMinute', message: `must be the limit "${minuteName}" of rateLimits, or left out` };
  const networks: string[] = [];
  for (const [i, text] of (fields.allowedIps ?? []).entries()) {
    const network = canonicalNetwork(text);
    if (network === undefined)
      return {
        path: `/allowedIps/${i}`,
        message: 'must be an address or a network such as 203.0.113.7 or 10.0.0.0/8',
      };
    networks.push(network);
  }
  return { fields: fields.allowedIps === undefined ? fields : { ...fields, allowedIps: [...new Set(networks)] } };
}

/** @returns the body, with addresses in canonical form @throws BadFieldError for the first fault */
export function checkedBody<Body extends CheckedFields>(body: Body): Body {
  const checked = checkFields(body);
  if ('path' in checked) throw badField(`/body${checked.path as `/${string}`}`, checked.message);
  return checked.fields;
}
