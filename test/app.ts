import type { FastifyInstance, InjectOptions } from 'fastify';
import t from 'tap';
import { buildApp } from '../src/app.js';
import { loadConfig } from '../src/config/index.js';

/** Builds the service in this process. It is closed when the test file ends. */
export async function startApp(variables: NodeJS.ProcessEnv): Promise<FastifyInstance> {
  const config = loadConfig({ LOG_LEVEL: 'silent', ...variables });
  // Tests share the processors: a late event loop is not what they are about.
  const app = await buildApp({ ...config, loadShedding: { maxEventLoopDelayMs: 0 } });
  t.teardown(() => app.close());
  await app.ready();
  await app.database.ready;
  return app;
}

/** Creates a key. @returns its Authorization header */
export async function keyHeaders(app: FastifyInstance, ...scopes: string[]): Promise<{ authorization: string }> {
  const { key } = await app.apiKeys.create({ name: `test ${scopes}`, scopes });
  return { authorization: `Bearer ${key}` };
}

/** Creates a function that sends requests with these headers and JSON bodies, and parses the responses. */
export function clientOf(app: FastifyInstance, headers: Record<string, string | undefined>) {
  return async (method: NonNullable<InjectOptions['method']>, url: string, payload?: object) => {
    const response = await app.inject({ method, url, headers, ...(payload && { payload }) });
    return { status: response.statusCode, headers: response.headers, body: response.body ? response.json() : null };
  };
}
