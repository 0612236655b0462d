import type { Operation } from '../fuzz/document.js';

/** A request of an operation, and the expected status of its response. */
export interface Call {
  status: number;
  query?: string;
  body?: object;
  headers?: [name: string, value: string][];
  /** The id in the path. Default: the id of a new resource, which a POST to the path before it creates. */
  id?: string;
  /** The key of the request. Default: an admin key. */
  key?: 'verifier' | 'nobody' | 'limited' | 'spent' | 'none' | 'unknown';
}

const unusedId = '00000000-0000-4000-8000-000000000000';
const times = 'from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z';
const noMatches = `${times}&method=GET&path=/x&route=/x/:id&statusCode=500&minDuration=10&apiKeyId=${unusedId}&verifiedApiKeyId=${unusedId}&ownerId=nobody`;
const invalidRange = { status: 400, query: 'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z' };

const authorizeCalls: Call[] = [
  { status: 204 },
  { status: 204, key: 'limited' },
  { status: 200, query: 'allowed=200&scope=orders:read' },
  { status: 403, query: 'scope=orders:read', key: 'nobody' },
];

/**
 * The calls of each operation, by its `operationId`, in addition to `commonCalls`. `«id»` and similar placeholders are replaced when the
 * test runs.
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
    ['', 'Post', 'Put', 'Patch', 'Delete', 'Options', 'Trace'].map((method) => [`authorize${method}`, authorizeCalls]),
  ),
  createApiKey: [
    { status: 201, body: { name: 'made' } },
    {
      status: 201,
      body: {
        ...{ name: 'made', scopes: ['a:b'], expiresAt: '2999-01-01T00:00:00Z', rateLimitPerMinute: 5 },
        ...{ ownerId: 'acme', metadata: { plan: 'pro' }, prefix: 'test' },
        ...{ rateLimits: [{ name: 'minute', limit: 5, windowSeconds: 60 }], quota: { limit: 100, period: 'day' } },
      },
    },
    { status: 400, body: { name: '' } },
  ],
  getOwnerLimits: [{ status: 200, id: 'acme' }],
  setOwnerLimits: [
    {
      ...{ status: 200, id: 'acme' },
      body: {
        rateLimits: [{ name: 'day', limit: 100_000, windowSeconds: 86_400 }],
        quota: { limit: 1_000_000, period: 'month' },
      },
    },
    { status: 400, id: 'acme', body: { quota: { limit: 0, period: 'week' } } },
  ],
  listApiKeys: [
    { status: 200 },
    { status: 200, query: `id=${unusedId}&id=${unusedId}&ownerId=acme&q=mobile&scope=a:b&active=true` },
    {
      status: 200,
      query: 'expiresAfter=2025-01-01T00:00:00Z&expiresBefore=2026-01-01T00:00:00Z&lastUsedBefore=2026-01-01T00:00:00Z',
    },
    { status: 200, query: `limit=1&cursor=${unusedId}` },
    { status: 400, query: 'limit=0' },
  ],
  exportApiKeys: [{ status: 200 }],
  getUsage: [
    { status: 200, query: `ownerId=acme&apiKeyId=${unusedId}&${times}&interval=3600` },
    { status: 400 },
    invalidRange,
  ],
  listLimitedKeys: [{ status: 200 }, { status: 200, query: times }, invalidRange],
  listUsageOwners: [{ status: 200 }, { status: 200, query: times }, invalidRange],
  getApiKey: [{ status: 200 }],
  getApiKeyLimits: [{ status: 200 }],
  updateApiKey: [
    { status: 200, query: 'force=true', body: { active: false, expiresAt: null } },
    { status: 409, id: '«admin»', body: { scopes: [] } },
    { status: 400, body: {} },
  ],
  deleteApiKey: [{ status: 204 }, { status: 409, id: '«admin»' }],
  rotateApiKey: [
    { status: 201, body: {} },
    { status: 201, body: { graceSeconds: 0 } },
    { status: 409, id: '«disabled»', body: {} },
    { status: 400, body: { graceSeconds: -1 } },
  ],
  listApiKeyEvents: [{ status: 200 }, { status: 200, query: 'limit=1' }],
  listEvents: [
    { status: 200, query: `action=created&actor=api-key&ownerId=acme&${times}` },
    { status: 200, query: `limit=1&cursor=${unusedId}` },
    { status: 400, query: 'action=none' },
  ],
  importApiKeys: [
    {
      status: 200,
      body: {
        keys: [
          { sha256: 'ab'.repeat(32), name: 'legacy' },
          { sha256: 'q'.repeat(43), name: 'ours', format: 'musicez', createdAt: '2020-01-01T00:00:00Z' },
        ],
      },
    },
    { status: 400, body: { keys: [] } },
  ],
  verifyApiKey: [
    { status: 200, key: 'verifier', body: { key: '«key»', scope: 'orders:read' } },
    { status: 200, body: { key: 'mez_nonsense' } },
    { status: 400, body: {} },
  ],
  listRequestLogs: [
    { status: 200 },
    { status: 200, query: `limit=1&${noMatches}` },
    { status: 200, query: `sort=slowest&${times}` },
    { status: 400, query: 'from=x' },
  ],
  getRequestLog: [{ status: 200, id: '«request»' }],
  exportRequestLogs: [
    { status: 200, query: 'format=ndjson' },
    { status: 200, query: `format=csv&${noMatches}` },
    { status: 400 },
  ],
  getRequestStats: [
    { status: 200 },
    { status: 200, query: `${times}&interval=3600&route=/v1/me&method=GET&statusCode=200` },
    { status: 200, query: `${times}&exact=true&statusCode=4xx&excludeManagement=true` },
    invalidRange,
  ],
  getKeyStats: [{ status: 200 }, { status: 200, query: `${times}&interval=3600&apiKeyId=«admin»` }, invalidRange],
  getRequestGroups: [
    { status: 200, query: 'by=error' },
    { status: 200, query: `by=ip&${noMatches}` },
    { status: 400, query: 'by=colour' },
  ],
  streamRequestLogs: [
    { status: 200 },
    {
      status: 200,
      query: 'statusCode=5xx&pathPrefix=/x&pathPart=abc&maxDuration=1&hasKey=false&excludeManagement=true',
    },
    { status: 200, query: 'statusCode=500&method=GET' },
    { status: 400, query: 'from=2026-01-01T00:00:00Z' },
  ],
};

/**
 * Returns the calls for errors that operations have in common, for the statuses that this operation documents.
 *
 * @param validCall a call that succeeds, whose query and body are used
 */
export function commonCalls(
  { responses, path, body, parameters, isOpen }: Operation,
  validCall: Call | undefined,
): Call[] {
  const hasId = path.includes('{id}');
  const hasOwner = path.includes('{ownerId}');
  const isNumber = parameters.find(({ name }) => name === 'id')?.schema.type === 'integer';
  const all: (Call & { applies?: boolean })[] = [
    { status: 400, headers: [['host', 'another.example']] },
    { status: 400, id: 'NONE', applies: hasId },
    { status: 400, headers: [['authorization', 'Bearer another']], applies: !isOpen },
    { status: 401, key: 'none' },
    { status: 401, key: 'unknown' },
    { status: 403, key: 'nobody', applies: path !== '/v1/auth' },
    { status: 404, id: isNumber ? '2147483647' : unusedId },
    { status: 413, body: { name: 'x'.repeat((path === '/v1/api-keys/import' ? 8 : 1) * 2 ** 20) } },
    { status: 414, id: '0'.repeat(2_000) },
    { status: 415, headers: [['content-type', 'application/xml']], body: {} },
    { status: 429, key: 'spent', ...(path === '/v1/auth' && { query: 'rateLimited=429' }) },
  ];
  return all
    .filter(({ status, applies = true }) => applies && status in responses)
    .map(({ applies, ...call }) => ({
      ...(hasOwner && { id: 'acme' }),
      ...(validCall?.query !== undefined && { query: validCall.query }),
      ...(body && validCall?.body && { body: validCall.body }),
      ...call,
    }));
}
