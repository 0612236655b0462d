import fc from 'fast-check';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { startService } from '../process.js';
import * as answers from './answers.js';
import { type ReceivedResponse, send } from './client.js';
import { type Document, type Operation, operationsOf, type Response } from './document.js';
import { type FuzzRequest, requestOf } from './requests.js';

skipFileOnEmbedded();

const requests = Number(process.env.FUZZ_REQUESTS || (process.env.CI ? 20_000 : 1_500));
const maxMs = 60_000;
const seed = Number(process.env.FUZZ_SEED || 20_261_124);
t.setTimeout(400_000);

const password = 'fuzz-url-password';
const admin = generateKey('mez');
const own = await createTestDatabase();
if (own.DATABASE_URL) own.DATABASE_URL = Object.assign(new URL(own.DATABASE_URL), { password }).href;
const service = await startService({
  ...own,
  BOOTSTRAP_ADMIN_KEY: admin,
  TRUST_PROXY: 'loopback',
  LOG_LEVEL: 'trace',
  REQUEST_LOG_FLUSH_MS: '20',
});

/** The values of placeholders such as «admin» and «id 3». */
const keys: Record<string, string> = { admin, unknown: generateKey('mez') };
const ids: Record<string, string[]> = { id: [], request: [] };
for (const name of ['verify', 'plain', 'limited', 'disabled', 'expired']) {
  const scopes = name === 'verify' ? ['verify'] : [];
  const { id, key } = await manage('POST', '', { name, scopes, ...(name === 'limited' && { rateLimitPerMinute: 5 }) });
  if (name === 'disabled') await manage('PATCH', `/${id}`, { active: false });
  if (name === 'expired') await manage('POST', `/${id}/rotate`, { graceSeconds: 0 });
  keys[name] = key;
}
for (let i = 0; i < 20; i++) ids.id?.push((await manage('POST', '', { name: `victim ${i}` })).id);

async function manage(method: string, path: string, body: object) {
  const headers: [string, string][] = [
    ['x-api-key', admin],
    ['content-type', 'application/json'],
  ];
  return sendUntilServed(method, `/v1/api-keys${path}`, headers, JSON.stringify(body));
}

/** Sends a request again while the service sheds load, as it does when other tests keep the processors busy. */
async function sendUntilServed(method: string, path: string, headers: [string, string][] = [], body?: string) {
  for (;;) {
    const received = await send(service.url, method, path, headers, { body });
    if (received.status !== 503) return JSON.parse(received.body);
  }
}

/** Replaces the placeholders of a request. */
function fillPlaceholders(text: string): string {
  return text.replace(/«(\w+)(?: (\d+))?»/g, (_, name, n) => (n ? ids[name]?.[n] : keys[name]) ?? 'none');
}

const document: Document = await sendUntilServed('GET', '/documentation/json');
const { 400: problem = {} } = operationsOf(document)[0]?.responses ?? {};
const nothing: Operation = {
  name: 'nothing',
  method: 'GET',
  path: '/nothing/{at}/all',
  parameters: [{ in: 'path', name: 'at', required: true, schema: { type: 'string' } }],
  body: undefined,
  responses: { 400: problem, 404: problem },
  isOpen: true,
};
const operations = new Map([...operationsOf(document), nothing].map((operation) => [operation.name, operation]));
const statusCounts = new Map<string, Record<number, number>>();

t.comment(`${requests} requests, FUZZ_SEED=${seed}`);

t.test('the response to every generated request matches the document and contains no secret', async (t) => {
  const anyRequest = fc.oneof(
    ...[...operations.values()].map((operation) => ({
      arbitrary: requestOf(operation),
      // The responses of these routes grow with each request.
      weight: ['/v1/request-logs/export', '/metrics'].includes(operation.path) ? 1 : 6,
    })),
  );
  await fc.assert(
    fc.asyncProperty(anyRequest, async (fuzzRequest) => {
      const received = await send(
        service.url,
        fuzzRequest.method,
        fillPlaceholders(fuzzRequest.url),
        fuzzRequest.headers.map(([name, value]) => [name, fillPlaceholders(value)]),
        { body: fuzzRequest.body && fillPlaceholders(fuzzRequest.body), chunked: fuzzRequest.chunked },
      );
      recordResponse(fuzzRequest, received);
      const mismatch = mismatchOf(fuzzRequest, received);
      if (mismatch)
        throw new Error(
          `${mismatch}\n${received.status} ${JSON.stringify(received.headers)}\n${received.body.slice(0, 2_000)}`,
        );
    }),
    {
      ...{ numRuns: requests, seed, includeErrorInReport: true },
      // A slow machine sends fewer.
      ...{ interruptAfterTimeLimit: maxMs, markInterruptAsFailure: false },
    },
  );
  for (const [operation, statuses] of statusCounts) {
    t.comment(operation, JSON.stringify(statuses));
    if (operation !== nothing.name) t.ok(Object.keys(statuses)[0]?.startsWith('2'), `${operation} was reached`);
  }
});

function recordResponse({ operation, method }: FuzzRequest, { status, headers, body }: ReceivedResponse) {
  const statuses = statusCounts.get(operation) ?? {};
  statuses[status] = (statuses[status] ?? 0) + 1;
  statusCounts.set(operation, statuses);
  const remember = (kind: string, id: string) => {
    ids[kind]?.unshift(id);
    ids[kind]?.splice(20);
  };
  remember('request', String(headers['x-request-id']));
  if (status === 201 && method === 'POST') remember('id', JSON.parse(body).id);
}

function mismatchOf(fuzzRequest: FuzzRequest, { status, headers, body }: ReceivedResponse): string | undefined {
  const operation = operations.get(fuzzRequest.operation) ?? nothing;
  const newKey = status === 201 ? JSON.parse(body).key : undefined;
  if (status === 201 && !looksLikeKey.test(newKey)) return 'a new key is not in the response';
  const secret = secretIn(JSON.stringify(headers) + body, newKey);
  if (secret) return `the response contains ${secret}`;
  // A 5xx response is a failure even if it is documented: no request may cause one.
  if (status >= 500) return 'the service failed';

  // The introduction of the document describes these responses.
  const isNotHttp = [400, 431].includes(status) && !('content-security-policy' in headers);
  const responses: Record<string, Response> = isNotHttp ? { [status]: problem } : operation.responses;
  return answers.mismatchOf({ ...operation, responses }, fuzzRequest.method, { status, headers, body });
}

const looksLikeKey = /^[a-z][a-z0-9]{0,15}_[0-9A-Za-z]{38}$/;

/** Finds any key: existing and unknown keys of this run have the same format. */
function secretIn(text: string, newKey?: string): string | undefined {
  const secrets = text.match(/\b[a-z][a-z0-9]{0,15}_[0-9A-Za-z]{38}\b|fuzz-url-password/g) ?? [];
  return secrets.find((secret) => secret !== newKey);
}

t.test('the log contains no secret and no error, and each entry is one line of JSON', async (t) => {
  service.child.kill('SIGTERM');
  t.equal(await service.exited, 0);
  const lines = service.stdout().trimEnd().split('\n');
  t.equal(secretIn(service.stdout() + service.stderr()), undefined);
  for (const line of lines) {
    const { level, msg } = JSON.parse(line);
    if (level >= 50) t.fail(msg, { line });
  }
  t.comment(`${lines.length} lines`);
});
