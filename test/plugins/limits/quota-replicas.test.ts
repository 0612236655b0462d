import { createRequire } from 'node:module';
import t, { type Test } from 'tap';
import { generateKey } from '../../../plugins/api-keys/key-format.js';
import { createTestDatabase, requirePostgres } from '../../database.js';
import { startService } from '../../process.js';

requirePostgres();

/** autocannon has no types. */
interface Load extends Promise<unknown> {
  on(event: 'response', listener: (client: unknown, statusCode: number) => void): void;
  stop(): void;
}
const autocannon: (options: object) => Load = createRequire(import.meta.url)('autocannon');

const flushMs = 100;
const bucketMs = 5;

t.test(
  'three replicas at full speed exceed a quota by at most the requests that they accept in one flush interval',
  async (t) => {
    const admin = generateKey('mez');
    const variables = {
      ...(await createTestDatabase()),
      BOOTSTRAP_ADMIN_KEY: admin,
      REQUEST_LOG_FLUSH_MS: `${flushMs}`,
    };
    const replicas = await Promise.all([1, 2, 3].map(() => startService(variables)));
    const [first] = replicas as [(typeof replicas)[0]];
    const manage = async (method: string, path: string, body?: object) => {
      const response = await fetch(`${first.url}${path}`, {
        ...{ method, headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' } },
        ...(body && { body: JSON.stringify(body) }),
      });
      t.ok(response.ok, `${method} ${path}`);
      return response.json();
    };
    for (const limit of [20_000, 500]) {
      const { id, key } = await manage('POST', '/v1/api-keys', { name: 'metered', quota: { limit, period: 'month' } });
      const { granted, mostInOneInterval } = await drain(
        t,
        key,
        replicas.map(({ url }) => url),
      );
      const overrun = granted - limit;
      t.comment(`limit ${limit}: ${overrun} over, at most ${mostInOneInterval} in one flush interval`);
      t.ok(overrun >= 0, 'the whole quota is used');
      t.ok(overrun <= mostInOneInterval, `${overrun} over, at most ${mostInOneInterval} in one flush interval`);
      for (;;) {
        const { quota } = await manage('GET', `/v1/api-keys/${id}`);
        if (quota.used === granted) break;
        t.ok(quota.used < granted, 'no request is settled twice');
        await new Promise((resolve) => setTimeout(resolve, flushMs));
      }
    }
  },
);

/** Sends requests with a key to all replicas until each of them denies them. */
async function drain(t: Test, key: string, urls: string[]) {
  const grantedAt: number[] = [];
  const loads = urls.map((url) => {
    const load = autocannon({ url: `${url}/v1/me`, connections: 8, duration: 60, headers: { 'x-api-key': key } });
    let denials = 0;
    load.on('response', (_client, statusCode) => {
      if (statusCode === 200) grantedAt.push(performance.now());
      else if (++denials === 200) load.stop();
    });
    return load;
  });
  t.teardown(() => {
    for (const load of loads) load.stop();
  });
  await Promise.all(loads);
  const buckets = new Map<number, number>();
  for (const at of grantedAt) buckets.set(Math.floor(at / bucketMs), (buckets.get(Math.floor(at / bucketMs)) ?? 0) + 1);
  const mostInOneInterval = Math.max(
    ...[...buckets.keys()].map((bucket) => {
      let sum = 0;
      for (let i = 0; i < flushMs / bucketMs; i++) sum += buckets.get(bucket + i) ?? 0;
      return sum;
    }),
  );
  return { granted: grantedAt.length, mostInOneInterval };
}
