import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startTestService } from 'musicez/testing';
import { service } from '../src/service.js';

const { client, createKey, close } = await startTestService(service);
after(close);

test('a greeting is stored, and read by a key with the scope', async () => {
  const writer = client(await createKey('greetings:write'));
  const reader = client(await createKey('greetings:read'));
  assert.equal((await writer('PUT', '/v1/greetings/Ada', { text: 'Hello, Ada' })).status, 200);
  const { status, body } = await reader('GET', '/v1/greetings/Ada');
  assert.deepEqual([status, body], [200, { name: 'Ada', text: 'Hello, Ada' }]);
});

test('a name without a greeting is a 404', async () => {
  const reader = client(await createKey('greetings:read'));
  assert.equal((await reader('GET', '/v1/greetings/nobody')).status, 404);
});

test('a key without the scope is denied', async () => {
  const reader = client(await createKey('greetings:read'));
  assert.equal((await reader('PUT', '/v1/greetings/Ada', { text: 'Hello' })).status, 403);
});
