import type { AddressInfo } from 'node:net';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { startApp } from '../app.js';
import { ownDatabase } from '../database.js';
import { faultOf, typed } from '../fuzz/answers.js';
import { send } from '../fuzz/client.js';
import { type Document, misfitOf, type Operation, operationsOf } from '../fuzz/document.js';
import { type Call, calls, commonCalls } from './calls.js';

const app = await startApp(await ownDatabase());
await app.listen({ port: 0, host: '127.0.0.1' });
const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
const source = (await send(origin, 'GET', '/documentation/json')).body;
const document = JSON.parse(source) as Document & { paths: Record<string, Record<string, { operationId: string }>> };
const operations = operationsOf(document);

const made = async (name: string, scopes: string[], rateLimitPerMinute: number | null = null) =>
  app.apiKeys.create({ name, scopes, rateLimitPerMinute });
const admin = await made('admin', ['admin']);
// It has been rotated and no longer counts, so that `admin` is the last admin key.
const spent = await made('spent', ['admin'], 1);
const { id: heir } = await app.apiKeys.rotate(spent.id, 3_600, { actor: 'cli' });
await app.apiKeys.remove(heir, { actor: 'cli' }, { force: true });
const keys: Record<NonNullable<Call['key']>, string> = {
  verifier: (await made('verifier', ['verify'])).key,
  nobody: (await made('nobody', [])).key,
  limited: (await made('limited', [], 1_000)).key,
  spent: spent.key,
  none: '',
  unknown: generateKey('mez'),
};
const disabled = await made('disabled', []);
await app.apiKeys.update(disabled.id, { active: false }, { actor: 'cli' });
const { headers } = await send(origin, 'GET', '/v1/me', [['x-api-key', admin.key]]);
await app.requestLog.flush();

/** What «id» and the like stand for. */
const places: Record<string, string> = {
  admin: admin.id,
  disabled: disabled.id,
  key: keys.nobody,
  request: String(headers['x-request-id']),
};
const filled = (text: string) => text.replace(/«(\w+)»/g, (_, name) => places[name] ?? name);

t.test('a linter finds nothing to say about the document, by its recommended rules', async (t) => {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source, config });
  t.strictSame(
    problems.map(({ ruleId, message, location: [place] }) => `${ruleId} ${place?.pointer} ${message}`),
    [],
  );
});

t.test('every operation has an example of what it takes and of what it answers', async (t) => {
  for (const { name, body, responses, parameters } of operations) {
    const bodies = Object.values(responses).flatMap(({ content = {} }) => Object.entries(content));
    for (const [type, { schema, example }] of bodies) {
      t.not(example, undefined, `${name} ${type}`);
      t.equal(misfitOf(schema, example), undefined, `${name} ${type}`);
    }
    for (const parameter of parameters) t.ok('example' in parameter || isPlain(parameter.schema), name);
    if (body) t.not(Object.values(bodyOf(name))[0]?.example, undefined, name);
  }
});

/** The values of some speak for themselves. */
function isPlain({ type, enum: words, ...rest }: Operation['parameters'][0]['schema']) {
  return type === 'boolean' || words !== undefined || 'default' in rest || 'multipleOf' in rest || !('pattern' in rest);
}

function bodyOf(name: string): Record<string, { example?: unknown }> {
  const [method = '', path = ''] = name.split(' ');
  const { requestBody } = document.paths[path]?.[method.toLowerCase()] ?? {};
  return requestBody?.content ?? {};
}

const seen = new Map(operations.map(({ name }) => [name, new Set<string>()]));

t.test('an instance that is not warm yet answers /readyz as the document has it', async (t) => {
  await check(t, operationOf('getReadiness'), { status: 503 });
  app.health.markWarm();
});

t.test('what is asked as the document has it is answered as the document has it', async (t) => {
  for (const operation of operations) {
    const own = calls[idOf(operation)] ?? [];
    t.ok(own.length > 0, `test/openapi/calls.ts says what to ask ${operation.name}`);
    for (const call of [...own, ...commonCalls(operation)]) await check(t, operation, call);
  }
  t.strictSame(
    Object.keys(calls).filter((id) => !operations.some((operation) => idOf(operation) === id)),
    [],
    'and asks nothing that there is not',
  );
});

/** Lets every query fail; the embedded database cannot be taken away from a service that runs. */
function failQueries(t: Test, message: string) {
  const fail = () => Promise.reject(new Error(message));
  t.intercept(app.database.pool, 'query', { value: fail });
  t.intercept(app.database.pool, 'connect', { value: fail });
}

t.test('so it is while the database is away', async (t) => {
  failQueries(t, 'Connection terminated unexpectedly');
  for (const operation of operations.filter(({ path, responses }) => '503' in responses && path !== '/readyz')) {
    keys.unknown = generateKey('mez');
    await check(t, operation, { status: 503, key: 'unknown', id: '«admin»', body: { name: 'x' } });
  }
});

t.test('and where something fails that nobody thought of', async (t) => {
  failQueries(t, 'unforeseen');
  for (const operation of operations.filter(asksDatabase)) {
    const good = calls[idOf(operation)]?.find(({ status }) => status < 300);
    await check(t, operation, { ...good, status: 500, id: '«admin»' });
  }
});

/** Whether a query of its own can fail, once the key is known. */
function asksDatabase(operation: Operation) {
  const asksNothing = ['getHealth', 'getReadiness', 'getMe', 'verifyApiKey', 'streamRequestLogs'];
  return '503' in operation.responses && !asksNothing.includes(idOf(operation));
}

t.test('and no status stands in the document that was not seen here', async (t) => {
  for (const operation of operations) {
    // A 500 of what asks nothing has nothing to come from here.
    const expected = Object.keys(operation.responses).filter((status) => status !== '500' || asksDatabase(operation));
    t.strictSame([...(seen.get(operation.name) ?? [])].sort(), expected);
  }
});

/** Asks, and holds the answer against the document; what is to succeed must itself be as the document has it. */
async function check(t: Test, operation: Operation, call: Call) {
  const { name, method, path } = operation;
  const { status, query = '', body, key } = call;
  const { id = path.includes('{id}') ? (await made('victim', [])).id : '' } = call;
  const url = filled(`${path.replace('{id}', id)}${query && `?${query}`}`);
  const text = body && filled(JSON.stringify(body));
  const asked = `${method} ${url.slice(0, 100)} ${text?.slice(0, 100) ?? ''}`;
  if (status < 300) t.equal(requestFaultOf(operation, url, text), undefined, `${asked} is as the document has it`);

  if (key === 'spent') await send(origin, 'GET', '/v1/me', [['x-api-key', keys.spent]]);
  const secret = key === undefined ? admin.key : keys[key];
  const given = Object.fromEntries([
    ...(secret ? [['x-api-key', secret]] : []),
    ...(text ? [['content-type', 'application/json']] : []),
    ...(call.headers ?? []),
  ]) as Record<string, string>;
  const answer = await send(origin, method, url, Object.entries(given), { body: text });
  t.equal(answer.status, status, `${asked} is answered with ${status}`);
  t.equal(faultOf(operation, method, answer), undefined, `${asked} is answered as the document has it`);
  seen.get(name)?.add(String(answer.status));
}

function requestFaultOf({ path, parameters, body }: Operation, url: string, text?: string): string | undefined {
  const { pathname, searchParams } = new URL(url, origin);
  const id = pathname.split('/')[path.split('/').indexOf('{id}')];
  const unknown = [...searchParams.keys()].find((name) => !parameters.some((one) => one.name === name));
  if (unknown !== undefined) return `the document has no ${unknown}`;
  for (const { in: place, name, required, schema } of parameters) {
    const [value, ...more] = place === 'path' ? [id] : searchParams.getAll(name);
    if (value === undefined && required) return `${name} is missing`;
    const misfit =
      value === undefined
        ? undefined
        : misfitOf(schema, schema.type === 'array' ? [value, ...more] : typed(schema, value));
    if (misfit) return `${name}: ${misfit}`;
  }
  if (!body || !text) return body || text ? 'the body' : undefined;
  return misfitOf(body, JSON.parse(text));
}

function operationOf(id: string): Operation {
  return operations.find((operation) => idOf(operation) === id) as Operation;
}

function idOf({ method, path }: Operation): string {
  return document.paths[path]?.[method.toLowerCase()]?.operationId ?? '';
}
