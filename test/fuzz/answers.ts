import type { ReceivedResponse } from './client.js';
import { type Operation, type Response, type Schema, schemaErrorOf } from './document.js';

/** Response headers that carry information for the client, and so must be documented. */
const mustBeDocumented =
  /^(x-request-id|x-api-key-.*|ratelimit-.*|retry-after|www-authenticate|location|content-disposition|allow)$/;

/**
 * Compares the status, media type, body and headers of a response with the document.
 *
 * @param method of the request, which can be HEAD for a GET operation
 */
export function mismatchOf(
  { name, responses }: Operation,
  method: string,
  answer: ReceivedResponse,
): string | undefined {
  const { status, headers, body } = answer;
  const documented = responses[status];
  const type = headers['content-type']?.split(';', 1)[0];
  if (!documented) return `the document does not have ${status} for ${name}`;
  const headerMismatch = headerMismatchOf(documented, answer);
  if (headerMismatch) return headerMismatch;
  if (!documented.content)
    return body === '' && type === undefined ? undefined : 'the document has no body for this status';
  const media = type === undefined ? undefined : documented.content[type];
  if (!media || !type) return `the document does not have ${type} for ${status}`;
  if (method === 'HEAD') return body === '' ? undefined : 'the response to HEAD has a body';
  const schemaError = schemaErrorOf(media.schema, isJson(type) ? JSON.parse(body) : body);
  return schemaError && `the body does not match its schema: ${schemaError}`;
}

export function isJson(type: string): boolean {
  return type.endsWith('json') && !type.includes('ndjson');
}

function headerMismatchOf({ headers: documented = {} }: Response, { headers }: ReceivedResponse): string | undefined {
  const missing = Object.entries(documented).find(([name, { required }]) => required && headers[name] === undefined);
  if (missing) return `${missing[0]} is missing`;
  for (const [name, value] of Object.entries(headers)) {
    const schema = documented[name]?.schema;
    if (!schema && mustBeDocumented.test(name)) return `the document does not have ${name} here`;
    const schemaError = schema && schemaErrorOf(schema, toSchemaType(schema, String(value)));
    if (schemaError) return `${name} does not match its schema: ${schemaError}`;
  }
  return undefined;
}

/** Converts the text of a header or parameter to the type of its schema. */
export function toSchemaType({ type, anyOf }: Schema, text: string): unknown {
  if (anyOf?.some(({ type }) => type === 'integer') && /^\d+$/.test(text)) return Number(text);
  if (type === 'boolean') return text === 'true';
  return type === 'integer' || type === 'number' ? Number(text) : text;
}
