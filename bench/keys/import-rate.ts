import { randomBytes } from 'node:crypto';
import { BenchError } from '../bench-error.js';
import type { ServerProcess } from '../server-process.js';

const batches = 20;
const batchKeys = 1_000;

/** Imports new keys through the API. @returns keys a second */
export async function measureImport(server: ServerProcess, key: string, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  for (let batch = 0; batch < batches; batch++) {
    const keys = Array.from({ length: batchKeys }, (_, n) => ({
      ...{ sha256: randomBytes(32).toString('hex'), name: `imported ${batch} ${n}`, start: 'sk_live_' },
      ...{ scopes: ['orders:read'], ownerId: `customer-${n}`, metadata: { plan: 'pro' } },
    }));
    const response = await server.post('/v1/api-keys/import', { keys }, signal, { 'x-api-key': key });
    const { created } = (await response.json()) as { created: number };
    if (created !== batchKeys) throw new BenchError(`only ${created} of ${batchKeys} keys were imported`);
  }
  return (batches * batchKeys) / ((performance.now() - startedAt) / 1_000);
}
