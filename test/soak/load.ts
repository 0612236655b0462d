// Uses the service at URL as many people would, PER_SECOND times a second, with ADMIN_KEY, and makes, rotates and revokes
// keys meanwhile, until SIGTERM; then prints what came of it. A process of its own: what it keeps is not the service's.
import { generateKey } from '../../plugins/api-keys/key-format.js';

/** What it prints, as JSON. */
export interface LoadReport {
  /** The `x-request-id` of each answer. */
  ids: string[];
  /** Answers that should not have been, and requests that had none. */
  surprises: string[];
  rotations: number;
  revocations: number;
  /** How many were turned away because the event loop was late, which on a busy machine is as it should be. */
  shed: number;
}

const { URL: url = '', ADMIN_KEY: admin = '', PER_SECOND } = process.env;
const perSecond = Number(PER_SECOND);
const workers = 10;
const report: LoadReport = { ids: [], surprises: [], rotations: 0, revocations: 0, shed: 0 };
let isStopped = false;

interface Answer {
  status: number;
  body: { id: string; key: string; code?: string };
}

/** Asks, and notes the answer, unless its status is one of `expected`, as a surprise. */
async function ask(key: string, request: string, expected: number[], payload?: object): Promise<Answer> {
  const [method = '', path = ''] = request.split(' ');
  const headers = { 'x-api-key': key, ...(payload && { 'content-type': 'application/json' }) };
  try {
    const response = await fetch(url + path, { method, headers, ...(payload && { body: JSON.stringify(payload) }) });
    const text = await response.text();
    const body: Answer['body'] = text ? JSON.parse(text) : {};
    const { status } = response;
    report.ids.push(String(response.headers.get('x-request-id')));
    if (body.code === 'OVERLOADED') report.shed++;
    else if (!expected.includes(status)) report.surprises.push(`${status} ${body.code} ${request}`);
    return { status: body.code === 'OVERLOADED' ? 503 : status, body };
  } catch (error) {
    report.surprises.push(`${(error as Error).cause ?? error} ${request}`);
    return { status: 0, body: { id: '', key: '' } };
  }
}

/** The same until it is done: while the database is away, or the service overloaded, the answer is 503. */
async function insist(key: string, request: string, expected: number[], body?: object): Promise<Answer> {
  for (;;) {
    const answer = await ask(key, request, [...expected, 503], body);
    if (answer.status !== 503) return answer;
    await pause(100);
  }
}

const make = (name: string) => insist(admin, 'POST /v1/api-keys', [201], { name, scopes: ['read', 'verify'] });
const { body: known } = await make('known');
let { body: current } = await make('rotated');
for (const { key } of [known, current]) await insist(key, 'GET /v1/me', [200]);

const now = () => new Date().toISOString();
/** A key that is known must be served, whatever becomes of the database. What asks it, or has just changed, may be a 503. */
const mix = [
  () => ask(known.key, 'GET /v1/me', [200]),
  () => ask(known.key, 'GET /v1/auth?scope=read', [204]),
  () => ask(known.key, 'GET /v1/api-keys', [403]),
  () => ask(known.key, 'GET /nothing', [404]),
  () => ask(current.key, 'GET /v1/me', [200, 503]),
  () => ask(admin, 'GET /v1/me', [200]),
  () => ask(admin, 'POST /v1/api-keys', [400], { name: 1 }),
  () => ask(known.key, 'POST /v1/api-keys/verify', [200, 503], { key: current.key }),
  // Whoever guesses too often is told to wait.
  () => ask(generateKey('mez'), 'GET /v1/me', [401, 429, 503]),
  () => ask(admin, 'GET /v1/api-keys?limit=10', [200, 503]),
  () => ask(admin, 'GET /v1/request-logs?limit=10&statusCode=404', [200, 503]),
  () =>
    ask(
      admin,
      `GET /v1/request-logs/stats?from=${new Date(Date.now() - 300_000).toISOString()}&to=${now()}`,
      [200, 503],
    ),
  () => ask(admin, 'GET /health', [200, 503]),
];

/** In its grace the old key serves until the new one does. */
async function rotate() {
  const { body } = await insist(admin, `POST /v1/api-keys/${current.id}/rotate`, [201], { graceSeconds: 30 });
  await insist(body.key, 'GET /v1/me', [200]);
  current = body;
  report.rotations++;
}

async function revoke() {
  const { id, key } = (await make('revoked')).body;
  await insist(key, 'GET /v1/me', [200]);
  // Gone already, if the connection broke before it could be told.
  await insist(admin, `DELETE /v1/api-keys/${id}`, [204, 404]);
  // It is forgotten, so that only the database can tell.
  await insist(key, 'GET /v1/me', [401]);
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
