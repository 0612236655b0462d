import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startTestService } from 'musicez/testing';
import { greetingRoutes } from '../src/routes/greetings.js';

const service = await startTestService({ routes: [greetingRoutes] });
after(() => service.close());

test('a key with the scope is greeted', async () => {
  const send = service.client(await service.createKey('greetings:read'));
  const { status, body } = await send('GET', '/v1/greetings/Ada');
  assert.deepEqual([status, body], [200, { text: 'Hello, Ada' }]);
});

test('a key without the scope is denied', async () => {
  const send = service.client(await service.createKey());
  assert.equal((await send('GET', '/v1/greetings/Ada')).status, 403);
});
