// Prints how many bytes of the heap each of some stretches of requests leaves behind. A process of its own: tap keeps
// something of every promise.
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { heapUsed } from '../../heap.js';

const app = await buildApp(loadConfig({ ...process.env, LOG_LEVEL: 'silent', RATE_LIMIT_PER_MINUTE: '1000000' }));
await app.ready();
await app.database.ready;
const { key } = await app.apiKeys.create({ name: 'busy' });

const left: number[] = [];
for (let stretch = 0; stretch < 6; stretch++) {
  const before = await heapUsed();
  for (let i = 0; i < 3_000; i++) await app.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
  await app.requestLog.flush();
  left.push((await heapUsed()) - before);
}
process.stdout.write(`${JSON.stringify(left)}\n`);
await app.close();
process.exit();
