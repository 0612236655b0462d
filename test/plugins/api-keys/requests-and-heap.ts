// Prints by how many bytes each series of requests grows the heap. A separate process, because tap retains data for
// every promise.
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/index.js';
import { heapUsed } from '../../heap.js';

const app = await buildApp(loadConfig({ ...process.env, LOG_LEVEL: 'silent', RATE_LIMIT_PER_MINUTE: '1000000' }));
await app.ready();
await app.database.ready;
const { key } = await app.apiKeys.create({ name: 'busy' });

const growth: number[] = [];
for (let series = 0; series < 6; series++) {
  const before = await heapUsed();
  for (let i = 0; i < 3_000; i++) await app.inject({ url: '/v1/me', headers: { 'x-api-key': key } });
  await app.requestLog.flush();
  growth.push((await heapUsed()) - before);
}
process.stdout.write(`${JSON.stringify(growth)}\n`);
await app.close();
process.exit();
