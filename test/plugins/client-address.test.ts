import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { canonicalAddress } from '../../plugins/client-address.js';
import { keyHeaders, startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';

skipFileOnEmbedded();

t.test('an address has one canonical form, and an invalid address is undefined', async (t) => {
  for (const [text, expected] of [
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9:51234', '203.0.113.9'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['[2001:DB8::1]', '2001:db8::1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['[::ffff:10.1.2.3]:80', '10.1.2.3'],
    ['2001:DB8:0:0::2', '2001:db8::2'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ...['unknown', '_hidden', '', '999.1.1.1', '1.2.3', '[1.2.3.4]', 'localhost', '1.2.3.4/8'].map(
      (text) => [text, undefined] as const,
    ),
  ] as const)
    t.equal(canonicalAddress(text), expected, text);
});

t.test('log, events and filters use the canonical address, and ignore entries before an invalid one', async (t) => {
  const app = await startApp({ ...(await createTestDatabase()), TRUST_PROXY: '10.0.0.0/8' });
  const admin = await keyHeaders(app, 'admin');
  for (const [forwarded, expected] of [
    ['203.0.113.9:51234', '203.0.113.9'],
    ['[2001:DB8::1]:443', '2001:db8::1'],
    ['::ffff:203.0.113.10', '203.0.113.10'],
    ['fe80::1%eth0', 'fe80::1'],
    ['203.0.113.11, 10.0.0.2:443', '203.0.113.11'],
    ['unknown', '10.0.0.1'],
    ['198.51.100.1, unknown', '10.0.0.1'],
    ['198.51.100.1, unknown, 203.0.113.12', '203.0.113.12'],
  ] as const) {
    const headers = { ...admin, 'x-forwarded-for': forwarded };
    const created = await app.inject({
      ...{ method: 'POST', url: '/v1/api-keys', headers, payload: { name: 'x' } },
      remoteAddress: '::ffff:10.0.0.1',
    });
    const [event] = await app.apiKeys.listKeyEvents(created.json().id, 1);
    t.equal(event?.ip, expected, forwarded);
    await app.requestLog.flush();
    const url = `/v1/request-logs?ip=${encodeURIComponent(expected.toUpperCase())}&method=POST`;
    const found = (await app.inject({ url, headers: admin })).json();
    t.equal(found.data[0]?.id, created.headers['x-request-id'], `the filter finds ${expected}`);
  }
});

t.test('a different port does not bypass the throttle of unknown keys', async (t) => {
  const app = await startApp({ ...(await createTestDatabase()), TRUST_PROXY: '127.0.0.1' });
  const statuses: number[] = [];
  for (let i = 0; i < 90; i++) {
    const headers = { 'x-api-key': generateKey('mez'), 'x-forwarded-for': `203.0.113.9:${50_000 + i}` };
    statuses.push((await app.inject({ url: '/v1/me', headers })).statusCode);
  }
  t.equal(statuses.filter((status) => status === 401).length, 60);
  t.equal(statuses.filter((status) => status === 429).length, 30);
});
