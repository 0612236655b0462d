import t from 'tap';
import { AddressList, canonicalNetwork } from '../../../plugins/api-keys/allowed-ips.js';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase } from '../../database.js';

const app = await startApp({ ...(await createTestDatabase()), TRUST_PROXY: '127.0.0.1', KEY_CACHE_TTL_MS: '1' });
const admin = clientOf(app, await keyHeaders(app, 'admin'));

t.test('addresses and networks have one canonical form', async (t) => {
  for (const [text, canonical] of [
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7/32', '203.0.113.7'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['192.168.129.1/17', '192.168.128.0/17'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['10.1.2.3/0', '0.0.0.0/0'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['2001:db8:ffff::1/33', '2001:db8:8000::/33'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['fe80::/10', 'fe80::/10'],
    ['::/0', '::/0'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3/104', '10.0.0.0/8'],
    ...[
      '',
      '/',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0/8',
      '10.0.0.1:80',
      '[::1]',
      '::1/129',
      '10.0.0.0/8/8',
      'host',
      '::ffff:1.2.3.4/95',
      '10.0.0.0/-1',
      '1.2.3.4/0x8',
    ].map((text) => [text, undefined] as const),
  ] as const)
    t.equal(canonicalNetwork(text), canonical, text);
});

t.test('a key with addresses works from these only, in routes, in verifications and in forward auth', async (t) => {
  const { status, body } = await admin('POST', '/v1/api-keys', {
    name: 'bound',
    allowedIps: ['203.0.113.9/24', '2001:DB8::/32', '203.0.113.0/24'],
  });
  t.equal(status, 201);
  t.strictSame(body.allowedIps, ['203.0.113.0/24', '2001:db8::/32']);
  const from = (ip: string) => clientOf(app, { 'x-api-key': body.key, 'x-forwarded-for': ip });
  const verify = async (ip?: string) =>
    (await admin('POST', '/v1/api-keys/verify', { key: body.key, ...(ip && { ip }) })).body;
  for (const ip of ['203.0.113.200', '::ffff:203.0.113.1', '[2001:db8:1::5]:443']) {
    t.equal((await from(ip)('GET', '/v1/me')).status, 200, ip);
    t.equal((await from(ip)('GET', '/v1/auth')).status, 204, ip);
    t.match(await verify(ip), { valid: true, code: 'VALID', ipChecked: true }, ip);
  }
  for (const ip of ['203.0.114.1', '2001:db9::1', '127.0.0.1']) {
    const refused = { status: 403, body: { code: 'IP_NOT_ALLOWED' } };
    t.match(await from(ip)('GET', '/v1/me'), refused, ip);
    t.match(await from(ip)('GET', '/v1/auth'), refused, ip);
    t.match(await verify(ip), { valid: false, code: 'IP_NOT_ALLOWED', ipChecked: true }, ip);
  }
  t.match(
    await verify(),
    { valid: true, ipChecked: false },
    'without an address it is not checked, and the answer says so',
  );
  t.equal((await app.apiKeys.get(body.id)).allowedIps.length, 2);

  await admin('PATCH', `/v1/api-keys/${body.id}`, { allowedIps: [] });
  t.equal((await from('198.51.100.1')('GET', '/v1/me')).status, 200);
  t.notOk('ipChecked' in (await verify()));
});

t.test('a denial by address costs nothing of the rate limit, and is no use of the key', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'stolen', allowedIps: ['192.0.2.1'], rateLimitPerMinute: 1 });
  const from = (ip: string) => clientOf(app, { 'x-api-key': key, 'x-forwarded-for': ip });
  for (let i = 0; i < 3; i++) t.equal((await from('192.0.2.2')('GET', '/v1/me')).status, 403);
  await app.requestLog.flush();
  t.equal((await app.apiKeys.get(id)).lastUsed, null);
  t.equal((await from('192.0.2.1')('GET', '/v1/me')).status, 200);
});

t.test('an invalid address is a 400 that names it', async (t) => {
  for (const [allowedIps, path] of [
    [['10.0.0.1', 'host'], '/body/allowedIps/1'],
    [['10.0.0.0/40'], '/body/allowedIps/0'],
    [Array.from({ length: 51 }, (_, i) => `10.0.0.${i}`), '/body/allowedIps'],
  ] as const)
    t.match(await admin('POST', '/v1/api-keys', { name: 'bad', allowedIps: [...allowedIps] }), {
      status: 400,
      body: { errors: [{ path }] },
    });
});

t.test('an IPv6 network includes no IPv4 address, and an unknown address is never included', async (t) => {
  for (const [networks, ip, isIncluded] of [
    [['::/0'], '192.0.2.1', false],
    [['::/64'], '192.0.2.1', false],
    [['::/0'], '2001:db8::1', true],
    [['0.0.0.0/0'], '2001:db8::1', false],
    [['0.0.0.0/0'], '192.0.2.1', true],
    [['0.0.0.0/0', '::/0'], '', false],
  ] as const)
    t.equal(new AddressList(networks).includes(ip), isIncluded, `${networks} ${ip}`);
});

t.test('a value that only SQL can set opens nothing', async (t) => {
  const { id, key } = await app.apiKeys.create({ name: 'sql', allowedIps: ['192.0.2.1'] });
  await app.database.pool.query(`UPDATE api_keys SET "allowedIps" = '{nonsense}' WHERE id = $1`, [id]);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const response = await app.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
  t.equal(response.statusCode, 403);
});
