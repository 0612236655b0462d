import { canonicalNetwork } from '../plugins/api-keys/allowed-ips.js';
import type { Metadata } from '../plugins/api-keys/key-fields.js';
import { metadataFault } from '../plugins/api-keys/metadata.js';

interface CheckedFields {
  metadata?: Metadata | null | undefined;
  allowedIps?: string[] | undefined;
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
