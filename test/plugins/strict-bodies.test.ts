import { Type } from '@fastify/type-provider-typebox';
import t from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';

skipFileOnEmbedded();

const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...(await createTestDatabase()) }));
t.teardown(() => app.close());

const name = Type.String();
const bodies = {
  object: Type.Object({ name, inner: Type.Optional(Type.Object({ name })) }),
  list: Type.Object({ name, items: Type.Array(Type.Object({ name })) }),
  nullable: Type.Object({ name, inner: Type.Unsafe({ ...Type.Object({ name }), type: ['object', 'null'] }) }),
  union: Type.Union([Type.Object({ name }), Type.Object({ other: name })]),
  tuple: Type.Object({ name, pair: Type.Tuple([name, Type.Object({ name })]) }),
  open: Type.Object({ name }, { additionalProperties: true }),
};
for (const [path, body] of Object.entries(bodies)) app.post(`/${path}`, { schema: { body } }, async () => ({}));
await app.ready();

const statusOf = async (path: keyof typeof bodies, payload: object) =>
  (await app.inject({ method: 'POST', url: `/${path}`, payload })).statusCode;

t.test('a body with a property that is not in its schema returns 400, at any depth', async (t) => {
  const id = 'chosen by the client';
  for (const [path, good, bad] of [
    ['object', { name: 'x' }, { name: 'x', id }],
    ['object', { name: 'x', inner: { name: 'x' } }, { name: 'x', inner: { name: 'x', id } }],
    ['list', { name: 'x', items: [{ name: 'x' }] }, { name: 'x', items: [{ name: 'x', id }] }],
    ['nullable', { name: 'x', inner: null }, { name: 'x', inner: { name: 'x', id } }],
    ['union', { other: 'x' }, { other: 'x', id }],
    ['tuple', { name: 'x', pair: ['x', { name: 'x' }] }, { name: 'x', pair: ['x', { name: 'x', id }] }],
  ] as const) {
    t.equal(await statusOf(path, good), 200, JSON.stringify(good));
    t.equal(await statusOf(path, bad), 400, JSON.stringify(bad));
  }
});

t.test('a schema can accept other properties', async (t) => {
  t.equal(await statusOf('open', { name: 'x', id: 'x' }), 200);
});
