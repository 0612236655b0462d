/** The path of a smuggled request. If the service handles it, the request log has a row. */
export const smuggledPath = '/smuggled';

const smuggled = `GET ${smuggledPath} HTTP/1.1\r\nHost: x\r\n\r\n`;
const post = (headers: string, body = '') =>
  `POST /v1/api-keys/verify HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
const get = (headers: string, path = '/') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`;

/**
 * Requests for which two HTTP parsers can disagree where the body ends.
 *
 * @see https://portswigger.net/web-security/request-smuggling
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-11.2
 */
export const ambiguous: Record<string, string> = {
  'Content-Length and Transfer-Encoding, the chunked body longer': post(
    'Content-Length: 4\r\nTransfer-Encoding: chunked',
    `1\r\nZ\r\n0\r\n\r\n${smuggled}`,
  ),
  'Content-Length and Transfer-Encoding, the chunked body shorter': post(
    `Content-Length: ${5 + smuggled.length}\r\nTransfer-Encoding: chunked`,
    `0\r\n\r\n${smuggled}`,
  ),
  'two lengths': post(`Content-Length: 0\r\nContent-Length: ${smuggled.length}`, smuggled),
  'a list of lengths': post(`Content-Length: 0, ${smuggled.length}`, smuggled),
  'a length with a sign': post(`Content-Length: +${smuggled.length}`, smuggled),
  'a negative length': post('Content-Length: -1', smuggled),
  'a hexadecimal length': post('Content-Length: 0x10', smuggled),
  'a length that overflows': post('Content-Length: 18446744073709551616', smuggled),
  'a space before the colon': post(`Content-Length : ${smuggled.length}`, smuggled),
  'Content-Length on a folded line': post(`Content-Length:\r\n ${smuggled.length}`, smuggled),
  'an unknown encoding': post('Transfer-Encoding: xchunked', `0\r\n\r\n${smuggled}`),
  'an encoding that is not the last': post('Transfer-Encoding: chunked, identity', `0\r\n\r\n${smuggled}`),
  'two Transfer-Encoding headers': post(
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    `0\r\n\r\n${smuggled}`,
  ),
  'a vertical tab before the encoding': post('Transfer-Encoding:\x0bchunked', `0\r\n\r\n${smuggled}`),
  'an encoding in HTTP/1.0': `POST / HTTP/1.0\r\nContent-Length: ${5 + smuggled.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  'an invalid chunk size': post('Transfer-Encoding: chunked', `zz\r\n\r\n${smuggled}`),
  'a chunk size that overflows': post('Transfer-Encoding: chunked', `fffffffffffffffff\r\n${smuggled}`),
  'a chunk size with a sign': post('Transfer-Encoding: chunked', `-1\r\n${smuggled}`),
  'a chunk without its end': post('Transfer-Encoding: chunked', `1\r\nZ${smuggled}0\r\n\r\n`),
  'a bare line feed in a chunk size': post('Transfer-Encoding: chunked', `2\nxx\r\n0\r\n\r\n${smuggled}`),
};

/** Bytes that are not a valid HTTP request. */
export const malformed: Record<string, string> = {
  'an unknown HTTP version': 'GET / HTTP/1.2\r\nHost: x\r\n\r\n',
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'a method in lower case': 'get / HTTP/1.1\r\nHost: x\r\n\r\n',
  'an unknown method': 'SMUGGLE / HTTP/1.1\r\nHost: x\r\n\r\n',
  'two hosts': 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
  'no host': 'GET / HTTP/1.1\r\n\r\n',
  'a NUL in a header': get('X-A: a\0b'),
  'a carriage return in a header': get('X-A: a\rb'),
  'a header without a name': get(': a'),
  'a header without a colon': get('X-A'),
  'a header name with a space': get('X A: a'),
  'a request line that begins with a space': ' GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'a header that is too long': get(`X-A: ${'a'.repeat(40_000)}`),
  'too many headers': get(Array.from({ length: 4_000 }, (_, i) => `X-${i}: aaaaaaaa`).join('\r\n')),
  'a path that is too long': get('X-A: a', `/${'a'.repeat(40_000)}`),
  'a NUL in the path': get('X-A: a', '/a\0b'),
  'a space in the path': get('X-A: a', '/a b'),
  TLS: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
};
