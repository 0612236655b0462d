import type { Answer } from './client.js';
import { misfitOf, type Operation, type Response, type Schema } from './document.js';

/** Fields that tell a client something of its request, and so belong into the document. */
const telling =
  /^(x-request-id|x-api-key-.*|ratelimit-.*|retry-after|www-authenticate|location|content-disposition|allow)$/;

/**
 * What is wrong with an answer by the document: its status, media type, body or header fields; nothing if it fits.
 *
 * @param method by which it was asked, HEAD for a GET perhaps
 */
export function faultOf({ name, responses }: Operation, method: string, answer: Answer): string | undefined {
  const { status, headers, body } = answer;
  const documented = responses[status];
  const type = headers['content-type']?.split(';', 1)[0];
  if (!documented) return `the document does not have ${status} for ${name}`;
  const headerFault = headerFaultOf(documented, answer);
  if (headerFault) return headerFault;
  if (!documented.content) return body === '' && type === undefined ? undefined : 'the document has no body for this';
  const media = type === undefined ? undefined : documented.content[type];
  if (!media || !type) return `the document does not have ${type} for ${status}`;
  if (method === 'HEAD') return body === '' ? undefined : 'a HEAD has a body';
  const misfit = misfitOf(media.schema, isJson(type) ? JSON.parse(body) : body);
  return misfit && `the answer does not fit its schema: ${misfit}`;
}

export function isJson(type: string): boolean {
  return type.endsWith('json') && !type.includes('ndjson');
}

function headerFaultOf({ headers: documented = {} }: Response, { headers }: Answer): string | undefined {
  const missing = Object.entries(documented).find(([name, { required }]) => required && headers[name] === undefined);
  if (missing) return `${missing[0]} is missing`;
  for (const [name, value] of Object.entries(headers)) {
    const schema = documented[name]?.schema;
    if (!schema && telling.test(name)) return `the document does not have ${name} here`;
    const misfit = schema && misfitOf(schema, typed(schema, String(value)));
    if (misfit) return `${name} does not fit its schema: ${misfit}`;
  }
  return undefined;
}

/** The text of a header field or parameter as what the schema has it for. */
export function typed({ type }: Schema, text: string): unknown {
  if (type === 'boolean') return text === 'true';
  return type === 'integer' || type === 'number' ? Number(text) : text;
}
