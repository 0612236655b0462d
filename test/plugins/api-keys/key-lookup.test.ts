import { AsyncLocalStorage } from 'node:async_hooks';
import t from 'tap';
import { KeyLookup } from '../../../plugins/api-keys/key-lookup.js';
import type { DatabaseHandle } from '../../../plugins/database/index.js';
import { QuotaCounter } from '../../../plugins/limits/quota-counter.js';

t.test('each query is in the context of a request that waits for it', async (t) => {
  const request = new AsyncLocalStorage<string>();
  const queries: { digests: string[]; in: string | undefined }[] = [];
  const keyPool = {
    async query(_text: string, [digests]: [string[]]) {
      queries.push({ digests, in: request.getStore() });
      return { rows: [] };
    },
  };
  const database = { isReady: true, quotedSchema: '"public"', keyPool } as unknown as DatabaseHandle;
  const lookup = new KeyLookup(database, new QuotaCounter(1), []);
  await Promise.all(['first', 'second', 'third'].map((name) => request.run(name, () => lookup.find(name))));
  t.strictSame(queries, [
    { digests: ['first'], in: 'first' },
    { digests: ['second', 'third'], in: 'second' },
  ]);
});
