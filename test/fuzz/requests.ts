import { METHODS } from 'node:http';
import fc from 'fast-check';
import type { Operation } from './document.js';
import { bodyText, credential, mostly, parameterText, queryText } from './values.js';

/** A request in a format that can be replayed after a failure. */
export interface FuzzRequest {
  /** The name of the operation. */
  operation: string;
  method: string;
  url: string;
  headers: (readonly [name: string, value: string])[];
  /** Undefined if the request has no body. */
  body: string | undefined;
  /** Sent with chunked encoding instead of Content-Length. */
  chunked: boolean;
}

type Headers = FuzzRequest['headers'];

const weighted = <T>(...choices: [weight: number, arbitrary: fc.Arbitrary<T>][]) =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));

const byEitherHeader = (key: string) =>
  fc.constantFrom<Headers>([['authorization', `Bearer ${key}`]], [['x-api-key', key]]);

const credentials = weighted<Headers>(
  [14, byEitherHeader('«admin»')],
  [4, credential.chain((name) => byEitherHeader(`«${name}»`))],
  [1, fc.constant([])],
  [
    1,
    fc
      .constantFrom('x', ' ', ',', 'mez_', `mez_${'0'.repeat(38)}`, 'k'.repeat(8_000), 'ÿ\u0080', '__proto__')
      .chain(byEitherHeader),
  ],
  [
    1,
    fc.constantFrom<Headers>(
      [['authorization', 'Basic YWRtaW46YWRtaW4=']],
      [['authorization', 'Bearer']],
      [['authorization', 'bearer    «admin»']],
      [
        ['authorization', 'Bearer «admin»'],
        ['x-api-key', '«verify»'],
      ],
      [
        ['x-api-key', '«admin»'],
        ['x-api-key', '«admin»'],
      ],
      [
        ['authorization', 'Bearer «admin»'],
        ['authorization', 'Bearer «plain»'],
      ],
    ),
  ],
);

const forwardedFor = weighted(
  [12, fc.ipV4()],
  [3, fc.ipV6()],
  [1, fc.constant('10.9.9.9')],
  [
    1,
    fc.constantFrom(
      '',
      ',',
      ',,,',
      'unknown',
      '::ffff:10.0.0.1',
      'fe80::1%eth0',
      'fe80::1%25x',
      '10.0.0.1:80',
      'ÿÿ',
      '\t',
      '1, 2, 3',
      '999.1.1.1',
      '9'.repeat(4_000),
    ),
  ],
);

const oddHeader = fc.constantFrom<Headers[number]>(
  ...(
    [
      ['accept', 'application/xml'],
      ['accept-encoding', 'br, gzip'],
      ['origin', 'https://evil.example'],
      ['expect', '200-maybe'],
      ['range', 'bytes=0-1'],
      ['if-none-match', '*'],
      ['cookie', '__proto__=1'],
      ['user-agent', 'ÿ\u0080"\\{}\t'],
      ['user-agent', 'x'.repeat(5_000)],
      ['x-request-id', 'mine'],
      ['x-forwarded-host', 'evil.example'],
      ['x-forwarded-proto', 'gopher'],
      ['x-original-uri', '/a\u00ff?b'],
      ['x-original-method', 'BREW'],
      ['x-http-method-override', 'DELETE'],
      ['upgrade', 'h2c'],
      ['forwarded', 'for="_x"'],
      ['__proto__', 'x'],
      ['constructor', 'x'],
      ['x-large', 'x'.repeat(20_000)],
      ['accept-version', '1.x'],
    ] satisfies Headers
  ).map(([name, value]) => [name, value] as const),
);

const contentType = weighted<string | undefined>(
  [16, fc.constant('application/json')],
  [
    2,
    fc.constantFrom(
      'application/json; charset=utf-8',
      'Application/JSON;charset="utf-16"',
      'application/json;',
      'application/problem+json',
    ),
  ],
  [
    1,
    fc.constantFrom(
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'nonsense',
      '',
      '/',
      'application/json, text/plain',
    ),
  ],
  [1, fc.constant(undefined)],
);

/** Generates requests of one operation. */
export function requestOf(operation: Operation): fc.Arbitrary<FuzzRequest> {
  const { parameters, path } = operation;
  const inPath = Object.fromEntries(
    parameters.filter((one) => one.in === 'path').map((one) => [one.name, parameterText(one)]),
  );
  const inQuery = parameters.filter((one) => one.in === 'query');
  return fc
    .record({
      method: methodOf(operation),
      path: fc.record(inPath).map((values) => path.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '')),
      query: queryText(inQuery),
      credentials,
      forwardedFor: mostly(forwardedFor, fc.constant(undefined), 20),
      odd: mostly(fc.constant(undefined), oddHeader, 6),
      content: contentOf(operation),
      chunked: weighted([9, fc.constant(false)], [1, fc.constant(true)]),
    })
    .map(({ method, path, query, credentials, forwardedFor, odd, content, chunked }) => ({
      operation: operation.name,
      method,
      url: path + query,
      headers: [
        ...credentials,
        ...(forwardedFor === undefined ? [] : [['x-forwarded-for', forwardedFor] as const]),
        ...(odd === undefined ? [] : [odd]),
        ...(content.type === undefined ? [] : [['content-type', content.type] as const]),
      ],
      body: content.body,
      chunked,
    }));
}

function methodOf({ method, path }: Operation): fc.Arbitrary<string> {
  // Its description says that any method is accepted.
  if (path === '/v1/auth') return fc.constantFrom(...METHODS.filter((name) => name !== 'CONNECT'));
  return method === 'GET' ? weighted([15, fc.constant('GET')], [1, fc.constant('HEAD')]) : fc.constant(method);
}

interface Content {
  body: string | undefined;
  type: string | undefined;
}

function contentOf({ body }: Operation): fc.Arbitrary<Content> {
  const none = fc.constant<Content>({ body: undefined, type: undefined });
  if (body) return weighted<Content>([20, fc.record({ body: bodyText(body), type: contentType })], [1, none]);
  return weighted<Content>([12, none], [1, fc.record({ body: bodyText({}), type: contentType })]);
}
