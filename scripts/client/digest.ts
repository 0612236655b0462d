import { createHash } from 'node:crypto';

/** Identifies what the types are generated from: an OpenAPI document without `info`, which has the version. */
export function digestOf(document: object): string {
  return createHash('sha256')
    .update(JSON.stringify({ ...document, info: null }))
    .digest('hex');
}
