import type { FastifyInstance, InjectOptions } from 'fastify';
import t from 'tap';
import { buildApp } from '../src/app.js';
import { loadConfig } from '../src/config/index.js';

/** The service as the process builds it, in this process. Closed when the test file ends. */
export async function startApp(variables: NodeJS.ProcessEnv): Promise<FastifyInstance> {
  const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', ...variables }));
  t.teardown(() => app.close());
  await app.ready();
  await app.database.ready;
  return app;
}

/** Makes a key and returns the headers that present it. */
export async function keyHeaders(app: FastifyInstance, ...scopes: string[]): Promise<{ authorization: string }> {
  const { key } = await app.apiKeys.create({ name: `test ${scopes}`, scopes });
  return { authorization: `Bearer ${key}` };
}

/** Sends requests with the same headers, bodies as JSON, and returns the parsed answer. */
export function clientOf(app: FastifyInstance, headers: Record<string, string | undefined>) {
  return async (method: NonNullable<InjectOptions['method']>, url: string, payload?: object) => {
    const response = await app.inject({ method, url, headers, ...(payload && { payload }) });
    return { status: response.statusCode, headers: response.headers, body: response.body ? response.json() : null };
  };
}
