import type { AddressInfo } from 'node:net';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import t, { type Test } from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { mismatchOf, toSchemaType } from '../fuzz/answers.js';
import { send } from '../fuzz/client.js';
import { type Document, type Operation, operationsOf, schemaErrorOf } from '../fuzz/document.js';
import { type Call, calls, commonCalls } from './calls.js';

skipFileOnEmbedded();

const app = await startApp(await createTestDatabase());
await app.listen({ port: 0, host: '127.0.0.1' });
const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
const source = (await send(origin, 'GET', '/documentation/json')).body;
const document = JSON.parse(source) as Document & { paths: Record<string, Record<string, { operationId: string }>> };
const operations = operationsOf(document);

const createKey = async (name: string, scopes: string[], rateLimitPerMinute: number | null = null) =>
  app.apiKeys.create({ name, scopes, rateLimitPerMinute });
const admin = await createKey('admin', ['admin']);
// A rotated key no longer counts as an admin key, so that `admin` is the last one.
const spent = await createKey('spent', ['admin'], 1);
const { id: replacement } = await app.apiKeys.rotate(spent.id, 3_600, { actor: 'cli' });
await app.apiKeys.remove(replacement, { actor: 'cli' }, { force: true });
const keys: Record<NonNullable<Call['key']>, string> = {
  verifier: (await createKey('verifier', ['verify'])).key,
  nobody: (await createKey('nobody', [])).key,
  limited: (await createKey('limited', [], 1_000)).key,
  spent: spent.key,
  none: '',
  unknown: generateKey('mez'),
};
const jsonHeaders = { 'x-api-key': admin.key, 'content-type': 'application/json' };
const disabled = await createKey('disabled', []);
await app.apiKeys.update(disabled.id, { active: false }, { actor: 'cli' });
const { headers } = await send(origin, 'GET', '/v1/me', [['x-api-key', admin.key]]);
await app.requestLog.flush();

/** The values of placeholders. */
const placeholders: Record<string, string> = {
  admin: admin.id,
  disabled: disabled.id,
  key: keys.nobody,
  request: String(headers['x-request-id']),
};
const fillPlaceholders = (text: string) => text.replace(/«(\w+)»/g, (_, name) => placeholders[name] ?? name);

t.test('the document passes the recommended rules of the linter', async (t) => {
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source, config });
  t.strictSame(
    problems.map(({ ruleId, message, location: [place] }) => `${ruleId} ${place?.pointer} ${message}`),
    [],
  );
});

t.test('every operation has examples for its parameters, request body and responses', async (t) => {
  for (const { name, body, responses, parameters } of operations) {
    const bodies = Object.values(responses).flatMap(({ content = {} }) => Object.entries(content));
    for (const [type, { schema, example }] of bodies) {
      t.not(example, undefined, `${name} ${type}`);
      t.equal(schemaErrorOf(schema, example), undefined, `${name} ${type}`);
    }
    for (const parameter of parameters) t.ok('example' in parameter || needsNoExample(parameter.schema), name);
    if (body) t.not(Object.values(bodyOf(name))[0]?.example, undefined, name);
  }
});

/** Whether a schema needs no example. */
function needsNoExample({ type, enum: words, ...rest }: Operation['parameters'][0]['schema']) {
  return type === 'boolean' || words !== undefined || 'default' in rest || 'multipleOf' in rest || !('pattern' in rest);
}

function bodyOf(name: string): Record<string, { example?: unknown }> {
  const [method = '', path = ''] = name.split(' ');
  const { requestBody } = document.paths[path]?.[method.toLowerCase()] ?? {};
  return requestBody?.content ?? {};
}

const parameterInPath = /\{\w+\}/;
const statusesSeen = new Map(operations.map(({ name }) => [name, new Set<string>()]));

t.test('the response of /readyz before the service is warm matches the document', async (t) => {
  await check(t, operationOf('getReadiness'), { status: 503 });
  app.health.markWarm();
});

t.test('documented requests get documented responses', async (t) => {
  for (const operation of operations) {
    const own = calls[idOf(operation)] ?? [];
    t.ok(own.length > 0, `test/openapi/calls.ts has calls for ${operation.name}`);
    for (const call of [...own, ...commonCalls(operation, validCallOf(operation))]) await check(t, operation, call);
  }
  t.strictSame(
    Object.keys(calls).filter((id) => !operations.some((operation) => idOf(operation) === id)),
    [],
    'test/openapi/calls.ts has no calls for unknown operations',
  );
});

/** Makes every query fail: the embedded database cannot be stopped under a running service. */
function failQueries(t: Test, message: string, pools = [app.database.pool]) {
  const fail = () => Promise.reject(new Error(message));
  for (const pool of new Set(pools)) {
    t.intercept(pool, 'query', { value: fail });
    t.intercept(pool, 'connect', { value: fail });
  }
}

t.test('responses match the document while the database is down', async (t) => {
  failQueries(t, 'Connection terminated unexpectedly', [app.database.pool, app.database.keyPool]);
  for (const operation of operations.filter(({ path, responses }) => '503' in responses && path !== '/readyz')) {
    keys.unknown = generateKey('mez');
    await check(t, operation, { status: 503, key: 'unknown', id: '«admin»', body: { name: 'x' } });
  }
});

t.test('responses match the document after an unexpected error', async (t) => {
  const validCalls = await Promise.all(
    operations.filter(queriesDatabase).map(async (operation) => {
      const call = validCallOf(operation);
      return { operation, call: { ...call, id: call?.id ?? (await newIdFor(operation)) } };
    }),
  );
  failQueries(t, 'unforeseen');
  for (const { operation, call } of validCalls) await check(t, operation, { ...call, status: 500 });
});

/** Whether the operation queries the database after authentication. */
function queriesDatabase(operation: Operation) {
  const withoutQueries = ['getHealth', 'getReadiness', 'getMe', 'verifyApiKey', 'streamRequestLogs'];
  return '503' in operation.responses && !withoutQueries.includes(idOf(operation));
}

t.test('every documented status is tested', async (t) => {
  for (const operation of operations) {
    // An operation that does not query the database cannot return 500 in this test.
    const expected = Object.keys(operation.responses).filter(
      (status) => status !== '500' || queriesDatabase(operation),
    );
    t.strictSame([...(statusesSeen.get(operation.name) ?? [])].sort(), expected);
  }
});

/** Sends a request, and validates the response with the document; the request of a successful call is validated as well. */
async function check(t: Test, operation: Operation, call: Call) {
  const { name, method, path } = operation;
  const { status, query = '', body, key } = call;
  const { id = await newIdFor(operation) } = call;
  const url = fillPlaceholders(`${path.replace(parameterInPath, id)}${query && `?${query}`}`);
  const text = body && fillPlaceholders(JSON.stringify(body));
  const requestText = `${method} ${url.slice(0, 100)} ${text?.slice(0, 100) ?? ''}`;
  if (status < 300) t.equal(requestMismatchOf(operation, url, text), undefined, `${requestText} matches the document`);

  if (key === 'spent') await send(origin, 'GET', '/v1/me', [['x-api-key', keys.spent]]);
  const secret = key === undefined ? admin.key : keys[key];
  const requestHeaders = Object.fromEntries([
    ...(secret ? [['x-api-key', secret]] : []),
    ...(text ? [['content-type', 'application/json']] : []),
    ...(call.headers ?? []),
  ]) as Record<string, string>;
  const received = await send(origin, method, url, Object.entries(requestHeaders), { body: text });
  t.equal(received.status, status, `${requestText} returns ${status}`);
  t.equal(mismatchOf(operation, method, received), undefined, `the response to ${requestText} matches the document`);
  statusesSeen.get(name)?.add(String(received.status));
}

/** Creates a resource with a POST to the path before `{id}`. @returns its id, or an empty string for other paths */
async function newIdFor({ path }: Operation): Promise<string> {
  const [collection = '', ...rest] = path.split('/{id}');
  if (rest.length === 0) return '';
  const creating = operations.find(({ name }) => name === `POST ${collection}`);
  if (!creating) return '';
  const { body } = await send(origin, 'POST', collection, Object.entries(jsonHeaders), {
    body: JSON.stringify(validCallOf(creating)?.body),
  });
  return String(JSON.parse(body).id);
}

/** A call that succeeds. */
function validCallOf(operation: Operation): Call | undefined {
  return calls[idOf(operation)]?.find(({ status }) => status < 300);
}

function requestMismatchOf({ path, parameters, body }: Operation, url: string, text?: string): string | undefined {
  const { pathname, searchParams } = new URL(url, origin);
  const id = pathname.split('/')[path.split('/').findIndex((part) => part.startsWith('{'))];
  const unknown = [...searchParams.keys()].find((name) => !parameters.some((one) => one.name === name));
  if (unknown !== undefined) return `the document has no ${unknown}`;
  for (const { in: place, name, required, schema } of parameters) {
    const [value, ...more] = place === 'path' ? [id] : searchParams.getAll(name);
    if (value === undefined && required) return `${name} is missing`;
    const schemaError =
      value === undefined
        ? undefined
        : schemaErrorOf(schema, schema.type === 'array' ? [value, ...more] : toSchemaType(schema, value));
    if (schemaError) return `${name}: ${schemaError}`;
  }
  if (!body || !text) return body || text ? 'the body is missing or not documented' : undefined;
  return schemaErrorOf(body, JSON.parse(text));
}

function operationOf(id: string): Operation {
  return operations.find((operation) => idOf(operation) === id) as Operation;
}

function idOf({ method, path }: Operation): string {
  return document.paths[path]?.[method.toLowerCase()]?.operationId ?? '';
}
