import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { createClient } from '../../client/index.js';
import { digestOf } from '../../scripts/client/digest.js';
import { startApp } from '../app.js';
import { createTestDatabase } from '../database.js';
import { blocksOf } from '../docs/blocks.js';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';

const app = await startApp(await createTestDatabase());
await app.listen({ port: 0, host: '127.0.0.1' });
const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
const clientWith = async (...scopes: string[]) => {
  const { key } = await app.apiKeys.create({ name: `client ${scopes}`, scopes });
  return createClient({ url, key });
};

t.test('the packed document and types are those of this version: npm run client', async (t) => {
  const text = readFileSync(join(root, 'client/openapi.json'), 'utf8');
  const document = JSON.parse(text);
  t.strictSame(document, JSON.parse(JSON.stringify(app.swagger())));
  const types = readFileSync(join(root, 'client/schema.ts'), 'utf8');
  t.equal(/^\/\/ Of the document ([0-9a-f]{64})/.exec(types)?.[1], digestOf(document));
});

t.test('the client creates and verifies a key, and reads its usage and its requests', async (t) => {
  const admin = await clientWith('admin');
  const created = await admin.POST('/v1/api-keys', { body: { name: 'ada', scopes: ['read'], ownerId: 'team-a' } });
  t.equal(created.response.status, 201);
  const { id, key } = created.data ?? { id: '', key: '' };
  const verifier = await clientWith('verify');
  const verified = await verifier.POST('/v1/api-keys/verify', {
    body: { key, scope: 'read', method: 'GET', path: '/x' },
  });
  t.match(verified.data, { valid: true, name: 'ada', ownerId: 'team-a' });
  const refused = await verifier.POST('/v1/api-keys/verify', { body: { key, scope: 'write' } });
  t.match(refused.data, { valid: false });

  await app.requestLog.flush();
  const usage = await admin.GET('/v1/usage', { params: { query: { apiKeyId: id } } });
  t.equal(usage.response.status, 200, JSON.stringify(usage.error));
  const logs = await admin.GET('/v1/request-logs', { params: { query: { verifiedApiKeyId: id, limit: 10 } } });
  t.equal(logs.response.status, 200, JSON.stringify(logs.error));
  t.ok((logs.data?.data.length ?? 0) >= 2);
  t.equal((await admin.DELETE('/v1/api-keys/{id}', { params: { path: { id } } })).response.status, 204);
  const revoked = await verifier.POST('/v1/api-keys/verify', { body: { key } });
  t.match(revoked.data, { valid: false });
});

t.test('an error has the type of a problem', async (t) => {
  const nobody = await clientWith();
  const { data, error } = await nobody.GET('/v1/api-keys');
  t.equal(data, undefined);
  t.match(error, { status: 403, code: 'INSUFFICIENT_SCOPE' });
  // The types refuse a path that is not in the document.
  // @ts-expect-error
  t.equal((await nobody.GET('/v1/nowhere')).response.status, 404);
});

const page = 'docs/clients.md';
const execute = promisify(execFile);

t.test('the TypeScript and the Python of the page verify a key', async (t) => {
  const directory = temporaryDirectory(t);
  const { key: valid } = await app.apiKeys.create({ name: 'valid', scopes: ['orders:read'] });
  const variables = {
    MUSICEZ_URL: url,
    MUSICEZ_KEY: (await app.apiKeys.create({ name: 'asks', scopes: ['verify'] })).key,
    NODE_OPTIONS: '',
  };
  const [typescript = ''] = blocksOf(page, 'ts');
  const [python = ''] = blocksOf(page, 'python');
  const programs = [
    {
      program: [process.execPath, '--import=tsx', join(directory, 'verify.mts')],
      text: `const key = 'RECEIVED';\n${typescript.replace("'musicez/client'", `'${join(root, 'client/index.ts')}'`)}`,
      skip: false,
    },
    {
      program: ['python3', join(directory, 'verify.py')],
      text: `key = 'RECEIVED'\n${python}`,
      skip: spawnSync('python3', ['--version']).status !== 0 && 'needs python3',
    },
  ] as const;
  for (const { program, text, skip } of programs) {
    if (skip) {
      t.pass(program[0], { skip });
      continue;
    }
    const [command, ...args] = program;
    for (const [received, expected] of [
      [valid, /^true VALID/i],
      ['mez_unknown', /^false NOT_FOUND/i],
    ] as const) {
      writeFileSync(args.at(-1) ?? '', text.replace('RECEIVED', received));
      const { stdout } = await execute(command, args, { cwd: root, env: { ...process.env, ...variables } });
      t.match(stdout, expected, command);
    }
  }
});

t.test('the Go of the page sends the request of its curl', async (t) => {
  const [go = ''] = blocksOf(page, 'go');
  const [curl = ''] = blocksOf(page, 'sh');
  for (const text of [go, curl]) {
    t.match(text, /"key":/);
    t.match(text, /"scope": ?"orders:read"/);
  }
  t.match(go, /NewRequest\("POST", .*"\/v1\/api-keys\/verify"/);
  t.match(curl, '/v1/api-keys/verify');
  const headers = [...curl.matchAll(/-H ['"]([\w-]+): ([\w/]+)/g)];
  t.equal(headers.length, 2);
  for (const [, name, value] of headers) t.match(go, `Header.Set("${name}", "${value}`);
});
