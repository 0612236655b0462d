import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import t from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { createCertificate, needsOpenssl } from '../../certificate.js';
import { createTestDatabase, skipOnEmbedded } from '../../database.js';
import { freePort, startService } from '../../process.js';
import { needsRedis, startRedis } from './redis.js';

const admin = generateKey('mez');
const skip = skipOnEmbedded || needsRedis || needsOpenssl;

t.test(
  'rediss:// counts in Redis over TLS, and in memory while the certificate is not trusted',
  { skip },
  async (t) => {
    const { certificate, key } = createCertificate(t);
    const port = await freePort();
    const tls = ['--tls-port', `${port}`, '--tls-cert-file', certificate, '--tls-key-file', key];
    await startRedis(t, ...tls, '--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no');
    const redis = new Redis(port, '127.0.0.1', { tls: { ca: readFileSync(certificate) } });
    t.teardown(() => redis.disconnect());
    const url = `rediss://127.0.0.1:${port}`;
    const variables = { REDIS_URL: url, RATE_LIMIT_PER_MINUTE: '100', BOOTSTRAP_ADMIN_KEY: admin };
    const remainingOf = async (url: string) => {
      const response = await fetch(`${url}/v1/me`, { headers: { authorization: `Bearer ${admin}` } });
      t.equal(response.status, 200);
      return response.headers.get('ratelimit-remaining');
    };

    const distrusting = await startService({ ...(await createTestDatabase()), ...variables });
    await distrusting.waitFor(/self-signed certificate/);
    t.equal(await remainingOf(distrusting.url), '99');
    t.equal(await redis.dbsize(), 0);

    const trusting = await startService({
      ...(await createTestDatabase()),
      ...variables,
      NODE_EXTRA_CA_CERTS: certificate,
    });
    // While Redis is late, requests are counted in memory.
    while ((await redis.dbsize()) === 0) await remainingOf(trusting.url);
  },
);
