// Sends PER_SECOND mixed requests a second to the service at URL until SIGTERM, and creates, rotates and revokes keys
// with ADMIN_KEY. Then prints a report. A separate process, so that its memory does not count as the service's.
import { generateKey } from '../../plugins/api-keys/key-format.js';

/** The output, as JSON. */
export interface LoadReport {
  /** The `x-request-id` of each response. */
  ids: string[];
  /** Responses with an unexpected status, and requests without a response. */
  unexpected: string[];
  rotations: number;
  revocations: number;
  /** Requests that were rejected by load shedding, which is expected on a busy machine. */
  shed: number;
}

const { URL: url = '', ADMIN_KEY: admin = '', PER_SECOND } = process.env;
const perSecond = Number(PER_SECOND);
const workers = 10;
const report: LoadReport = { ids: [], unexpected: [], rotations: 0, revocations: 0, shed: 0 };
let isStopped = false;

interface LoadResponse {
  status: number;
  body: { id: string; key: string; code?: string };
}

/** Sends a request, and reports the response if its status is not one of `expected`. */
async function send(
  key: string,
  request: string,
  expected: number[],
  payload?: object,
  from = '192.0.2.1',
): Promise<LoadResponse> {
  const [method = '', path = ''] = request.split(' ');
  const headers = { 'x-api-key': key, 'x-forwarded-for': from, ...(payload && { 'content-type': 'application/json' }) };
  try {
    const response = await fetch(url + path, { method, headers, ...(payload && { body: JSON.stringify(payload) }) });
    const text = await response.text();
    const body: LoadResponse['body'] = text ? JSON.parse(text) : {};
    const { status } = response;
    report.ids.push(String(response.headers.get('x-request-id')));
    if (body.code === 'OVERLOADED') report.shed++;
    else if (!expected.includes(status)) report.unexpected.push(`${status} ${body.code} ${request}`);
    // While the database is down, keys that are not cached are throttled by address.
    const isLater = body.code === 'OVERLOADED' || body.code === 'TOO_MANY_BAD_KEYS';
    return { status: isLater ? 503 : status, body };
  } catch (error) {
    report.unexpected.push(`${(error as Error).cause ?? error} ${request}`);
    return { status: 0, body: { id: '', key: '' } };
  }
}

/** Retries while the response is a 503: the database is down, or the service overloaded. */
async function expectStatus(key: string, request: string, expected: number[], body?: object): Promise<LoadResponse> {
  for (;;) {
    const response = await send(key, request, [...expected, 429, 503], body);
    if (response.status !== 503) return response;
    await pause(100);
  }
}

const createKey = (name: string) =>
  expectStatus(admin, 'POST /v1/api-keys', [201], { name, scopes: ['read', 'verify'] });
const { body: known } = await createKey('known');
let { body: current } = await createKey('rotated');
for (const { key } of [known, current]) await expectStatus(key, 'GET /v1/me', [200]);

const now = () => new Date().toISOString();
/** Requests with a cached key must succeed without the database. Those that query it or use a new key may get a 503. */
const mix = [
  () => send(known.key, 'GET /v1/me', [200]),
  () => send(known.key, 'GET /v1/auth?scope=read', [204]),
  () => send(known.key, 'GET /v1/api-keys', [403]),
  () => send(known.key, 'GET /nothing', [404]),
  () => send(current.key, 'GET /v1/me', [200, 429, 503]),
  () => send(admin, 'GET /v1/me', [200]),
  () => send(admin, 'POST /v1/api-keys', [400], { name: 1 }),
  () => send(known.key, 'POST /v1/api-keys/verify', [200, 503], { key: current.key }),
  // Too many unknown keys get a 429.
  () => send(generateKey('mez'), 'GET /v1/me', [401, 429, 503], undefined, '192.0.2.66'),
  () => send(admin, 'GET /v1/api-keys?limit=10', [200, 503]),
  () => send(admin, 'GET /v1/request-logs?limit=10&statusCode=404', [200, 503]),
  () =>
    send(
      admin,
      `GET /v1/request-logs/stats?from=${new Date(Date.now() - 300_000).toISOString()}&to=${now()}`,
      [200, 503],
    ),
  () => send(admin, 'GET /health', [200, 503]),
];

/** Rotates the current key. The old one is used in its grace period until the new one works. */
async function rotate() {
  const { body } = await expectStatus(admin, `POST /v1/api-keys/${current.id}/rotate`, [201], { graceSeconds: 30 });
  await expectStatus(body.key, 'GET /v1/me', [200]);
  current = body;
  report.rotations++;
}

async function revoke() {
  const { id, key } = (await createKey('revoked')).body;
  await expectStatus(key, 'GET /v1/me', [200]);
  // 404 if a first attempt deleted it, but the connection broke before the response.
  await expectStatus(admin, `DELETE /v1/api-keys/${id}`, [204, 404]);
  // The key is not in the cache any more, so this queries the database.
  await expectStatus(key, 'GET /v1/me', [401]);
  report.revocations++;
}

async function repeat(work: () => Promise<unknown>, everyMs: number) {
  let next = performance.now();
  while (!isStopped) {
    await work();
    next = Math.max(next + everyMs, performance.now() - 100);
    await pause(next - performance.now());
  }
}

function pause(ms: number) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

let turn = 0;
const work = () => mix[turn++ % mix.length]?.() ?? Promise.resolve();
const running = Array.from({ length: workers }, () => repeat(work, (1_000 * workers) / perSecond));
running.push(repeat(rotate, 1_000), repeat(revoke, 1_000));
process.once('SIGTERM', async () => {
  isStopped = true;
  await Promise.all(running);
  process.stdout.write(JSON.stringify(report));
});
