import type { Operation } from '../fuzz/document.js';

/** A request of an operation that is answered by this status. */
export interface Call {
  status: number;
  query?: string;
  body?: object;
  headers?: [name: string, value: string][];
  /** In the path. An id of its own is made for each call, where none is given. */
  id?: string;
  /** The key that asks; that of an admin, if not given. */
  key?: 'verifier' | 'nobody' | 'limited' | 'spent' | 'none' | 'unknown';
}

const nobodysId = '00000000-0000-4000-8000-000000000000';
const times = 'from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z';
const nothing = `${times}&method=GET&path=/x&route=/x/:id&statusCode=500&minDuration=10&apiKeyId=${nobodysId}`;
const noRange = { status: 400, query: 'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z' };

const authorized: Call[] = [
  { status: 204 },
  { status: 204, key: 'limited' },
  { status: 200, query: 'allowed=200&scope=orders:read' },
  { status: 403, query: 'scope=orders:read', key: 'nobody' },
];

/**
 * What to ask each operation, by its `operationId`, beyond `commonCalls`. `«id»` and such stand for what there is only when
 * the test runs.
 */
export const calls: Record<string, Call[]> = {
  getHome: [{ status: 200 }],
  getHealth: [{ status: 200 }],
  getLiveness: [{ status: 200 }],
  getReadiness: [{ status: 200 }, { status: 200, query: 'verbose' }],
  getMetrics: [{ status: 200 }],
  getMe: [
    { status: 200, key: 'nobody' },
    { status: 200, key: 'limited' },
  ],
  ...Object.fromEntries(
    ['', 'Post', 'Put', 'Patch', 'Delete', 'Options', 'Trace'].map((method) => [`authorize${method}`, authorized]),
  ),
  createApiKey: [
    { status: 201, body: { name: 'made' } },
    {
      status: 201,
      body: { name: 'made', scopes: ['a:b'], expiresAt: '2999-01-01T00:00:00Z', rateLimitPerMinute: 5 },
    },
    { status: 400, body: { name: '' } },
  ],
  listApiKeys: [
    { status: 200 },
    { status: 200, query: `limit=1&cursor=${nobodysId}` },
    { status: 400, query: 'limit=0' },
  ],
  getApiKey: [{ status: 200 }],
  updateApiKey: [
    { status: 200, query: 'force=true', body: { active: false, expiresAt: null } },
    { status: 404, id: nobodysId, body: { name: 'x' } },
    { status: 409, id: '«admin»', body: { scopes: [] } },
    { status: 400, body: {} },
  ],
  deleteApiKey: [{ status: 204 }, { status: 409, id: '«admin»' }],
  rotateApiKey: [
    { status: 201, body: {} },
    { status: 201, body: { graceSeconds: 0 } },
    { status: 404, id: nobodysId, body: {} },
    { status: 409, id: '«disabled»', body: {} },
    { status: 400, body: { graceSeconds: -1 } },
  ],
  listApiKeyEvents: [{ status: 200 }, { status: 200, query: 'limit=1' }],
  verifyApiKey: [
    { status: 200, key: 'verifier', body: { key: '«key»', scope: 'orders:read' } },
    { status: 200, body: { key: 'mez_nonsense' } },
    { status: 400, body: {} },
  ],
  listRequestLogs: [{ status: 200 }, { status: 200, query: `limit=1&${nothing}` }, { status: 400, query: 'from=x' }],
  getRequestLog: [{ status: 200, id: '«request»' }],
  exportRequestLogs: [
    { status: 200, query: 'format=ndjson' },
    { status: 200, query: `format=csv&${nothing}` },
    { status: 400 },
  ],
  getRequestStats: [
    { status: 200 },
    { status: 200, query: `${times}&interval=3600&route=/v1/me&method=GET&statusCode=200` },
    noRange,
  ],
  getKeyStats: [{ status: 200 }, { status: 200, query: `${times}&interval=3600&apiKeyId=«admin»` }, noRange],
  streamRequestLogs: [
    { status: 200 },
    { status: 200, query: 'statusCode=500&method=GET' },
    { status: 400, query: 'from=2026-01-01T00:00:00Z' },
  ],
};

/** What may go wrong with any operation that documents it, in the same way for all. */
export function commonCalls({ responses, path, body, isOpen }: Operation): Call[] {
  const takesId = path.includes('{id}');
  const good = body && { body: { name: 'x', key: 'x', graceSeconds: 0 } };
  const all: (Call & { applies?: boolean })[] = [
    { status: 400, headers: [['host', 'another.example']] },
    { status: 400, id: 'NONE', applies: takesId },
    { status: 400, headers: [['authorization', 'Bearer another']], applies: !isOpen },
    { status: 401, key: 'none' },
    { status: 401, key: 'unknown' },
    { status: 403, key: 'nobody', applies: path !== '/v1/auth' },
    { status: 404, id: nobodysId, applies: !body },
    { status: 413, body: { name: 'x'.repeat(2 ** 20) } },
    { status: 414, id: '0'.repeat(2_000) },
    { status: 415, headers: [['content-type', 'application/xml']], body: {} },
    { status: 429, key: 'spent', ...(path === '/v1/auth' && { query: 'rateLimited=429' }) },
  ];
  return all
    .filter(({ status, applies = true }) => applies && status in responses)
    .map(({ applies, ...call }) => ({ ...good, ...call }));
}
