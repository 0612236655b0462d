import t from 'tap';
import { clientOf, keyHeaders, startApp } from '../app.js';
import { createTestDatabase } from '../database.js';

const app = await startApp(await createTestDatabase());
const request = clientOf(app, await keyHeaders(app, 'admin'));
const day = 86_400_000;
const past = new Date(Date.now() - 100 * day);

/** The names of the listed keys, read two at a time. */
async function namesBy(query: string): Promise<string[]> {
  const names: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await request('GET', `/v1/api-keys?limit=2&${query}${cursor && `&cursor=${cursor}`}`);
    if (status !== 200) throw new Error(JSON.stringify(body));
    names.push(...body.data.map(({ name }: { name: string }) => name));
    cursor = body.nextCursor;
  }
  return names;
}

const { create, update } = app.apiKeys;
for (const n of [1, 2, 3, 4, 5]) await create({ name: `Mobile app ${n}`, ownerId: 'acme', scopes: ['orders:read'] });
await create({ name: 'mobile 50% off_now', ownerId: 'other', scopes: ['orders:write'] });
const disabled = await create({ name: 'disabled' });
await update(disabled.id, { active: false });
const soon = await create({ name: 'ends soon', expiresAt: new Date(Date.now() + day) });
await create({ name: 'ends later', expiresAt: new Date(Date.now() + 100 * day) });
for (const [name, lastUsed] of [
  ['used long ago', past],
  ['used today', new Date()],
  ['never used', null],
] as const) {
  const { id } = await create({ name });
  await app.prisma.apiKey.update({ where: { id }, data: { lastUsed, createdAt: past } });
}

t.test('a list has the keys that match each filter, all of them, newest first', async (t) => {
  const mobile = [5, 4, 3, 2, 1].map((n) => `Mobile app ${n}`);
  for (const [query, names] of [
    ['ownerId=acme', mobile],
    ['ownerId=ACME', []],
    ['q=mobile', ['mobile 50% off_now', ...mobile]],
    ['q=ILE%20A', mobile],
    ['q=50%25%20', ['mobile 50% off_now']],
    ['q=f_n', ['mobile 50% off_now']],
    ['q=p_2', []],
    [`q=${soon.start.slice(2, 10)}`, ['ends soon']],
    ['scope=orders:write', ['mobile 50% off_now']],
    ['active=false', ['disabled']],
    [`expiresBefore=${new Date(Date.now() + 7 * day).toISOString()}`, ['ends soon']],
    [`expiresAfter=${new Date(Date.now() + 7 * day).toISOString()}`, ['ends later']],
    [`lastUsedBefore=${new Date(Date.now() - 90 * day).toISOString()}`, ['never used', 'used long ago']],
    ['ownerId=acme&scope=orders:write', []],
    ['ownerId=acme&q=app%202&active=true', ['Mobile app 2']],
  ] as const) {
    t.strictSame(await namesBy(query), names, query);
  }
});

t.test('a page after a cursor has no key twice and misses none, whatever is created meanwhile', async (t) => {
  const { body: first } = await request('GET', '/v1/api-keys?limit=3&ownerId=acme');
  await create({ name: 'Mobile app 6', ownerId: 'acme' });
  const { body: second } = await request('GET', `/v1/api-keys?limit=3&ownerId=acme&cursor=${first.nextCursor}`);
  const names = [...first.data, ...second.data].map(({ name }) => name);
  t.strictSame(
    names,
    [5, 4, 3, 2, 1].map((n) => `Mobile app ${n}`),
  );
  t.equal(second.nextCursor, null);
});

t.test('an invalid filter is a 400 that names it', async (t) => {
  for (const query of ['q=ab', 'active=maybe', 'expiresBefore=tomorrow', 'ownerId=', 'scope=No', 'owner=x'])
    t.match(await request('GET', `/v1/api-keys?${query}`), { status: 400, body: { code: 'VALIDATION_FAILED' } }, query);
});
