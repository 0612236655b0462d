import fc from 'fast-check';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { onPostgres, ownDatabase } from '../database.js';
import { startService } from '../process.js';
import * as answers from './answers.js';
import { type Answer, send } from './client.js';
import { type Document, type Operation, operationsOf, type Response } from './document.js';
import { type FuzzRequest, requestOf } from './requests.js';

const requests = Number(process.env.FUZZ_REQUESTS || (process.env.CI && onPostgres ? 20_000 : 1_500));
const seed = Number(process.env.FUZZ_SEED || 20_261_124);
t.setTimeout(400_000);

const password = 'fuzz-url-password';
const admin = generateKey('mez');
const own = await ownDatabase();
if (own.DATABASE_URL) own.DATABASE_URL = Object.assign(new URL(own.DATABASE_URL), { password }).href;
const service = await startService({
  ...own,
  BOOTSTRAP_ADMIN_KEY: admin,
  TRUST_PROXY: 'loopback',
  LOG_LEVEL: 'trace',
  REQUEST_LOG_FLUSH_MS: '20',
});

/** What «key» and «id 3» stand for. */
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
  const headers = [
    ['x-api-key', admin],
    ['content-type', 'application/json'],
  ] as const;
  const answer = await send(service.url, method, `/v1/api-keys${path}`, [...headers], { body: JSON.stringify(body) });
  return JSON.parse(answer.body);
}

/** Puts in what a request only names. */
function filled(text: string): string {
  return text.replace(/«(\w+)(?: (\d+))?»/g, (_, name, n) => (n ? ids[name]?.[n] : keys[name]) ?? 'none');
}

const document: Document = JSON.parse((await send(service.url, 'GET', '/documentation/json')).body);
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
const seen = new Map<string, Record<number, number>>();

t.comment(`${requests} requests, FUZZ_SEED=${seed}`);

t.test('whatever is asked, the answer is one that the document has, and no secret', async (t) => {
  const anyRequest = fc.oneof(
    ...[...operations.values()].map((operation) => ({
      arbitrary: requestOf(operation),
      // It grows with each request.
      weight: operation.path.endsWith('/export') ? 1 : 6,
    })),
  );
  await fc.assert(
    fc.asyncProperty(anyRequest, async (asked) => {
      const answer = await send(
        service.url,
        asked.method,
        filled(asked.url),
        asked.headers.map(([name, value]) => [name, filled(value)]),
        { body: asked.body && filled(asked.body), chunked: asked.chunked },
      );
      note(asked, answer);
      const fault = faultOf(asked, answer);
      if (fault)
        throw new Error(`${fault}\n${answer.status} ${JSON.stringify(answer.headers)}\n${answer.body.slice(0, 2_000)}`);
    }),
    { numRuns: requests, seed, includeErrorInReport: true },
  );
  for (const [operation, statuses] of seen) {
    t.comment(operation, JSON.stringify(statuses));
    if (operation !== nothing.name) t.ok(Object.keys(statuses)[0]?.startsWith('2'), `${operation} was reached`);
  }
});

function note({ operation, method }: FuzzRequest, { status, headers, body }: Answer) {
  const statuses = seen.get(operation) ?? {};
  statuses[status] = (statuses[status] ?? 0) + 1;
  seen.set(operation, statuses);
  const remember = (kind: string, id: string) => {
    ids[kind]?.unshift(id);
    ids[kind]?.splice(20);
  };
  remember('request', String(headers['x-request-id']));
  if (status === 201 && method === 'POST') remember('id', JSON.parse(body).id);
}

function faultOf(asked: FuzzRequest, { status, headers, body }: Answer): string | undefined {
  const operation = operations.get(asked.operation) ?? nothing;
  const told = status === 201 ? JSON.parse(body).key : undefined;
  if (status === 201 && !looksLikeKey.test(told)) return 'a new key is not told';
  const secret = secretIn(JSON.stringify(headers) + body, told);
  if (secret) return `the answer tells ${secret}`;
  // Documented as it may be: nothing that is asked brings it about.
  if (status >= 500) return 'the service failed';

  // As the document says at its beginning.
  const isNotHttp = [400, 431].includes(status) && !('content-security-policy' in headers);
  const responses: Record<string, Response> = isNotHttp ? { [status]: problem } : operation.responses;
  return answers.faultOf({ ...operation, responses }, asked.method, { status, headers, body });
}

const looksLikeKey = /^mez_[0-9A-Za-z]{38}$/;

/** All keys of this run look alike, the ones that exist and the ones that do not. */
function secretIn(text: string, told?: string): string | undefined {
  const secrets = text.match(/mez_[0-9A-Za-z]{38}|fuzz-url-password/g) ?? [];
  return secrets.find((secret) => secret !== told);
}

t.test('nothing that was written tells a secret, calls for help, or is more than one line', async (t) => {
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
