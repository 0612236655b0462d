import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { startTestService } from '../src/testing.js';

export { clientOf } from '../src/testing.js';

/** Builds the service in this process. It is closed when the test file ends. */
export async function startApp(variables: NodeJS.ProcessEnv): Promise<FastifyInstance> {
  const { app, close } = await startTestService({ variables, isWarm: false });
  t.teardown(close);
  return app;
}

/** Creates a key. @returns its Authorization header */
export async function keyHeaders(app: FastifyInstance, ...scopes: string[]): Promise<{ authorization: string }> {
  const { key } = await app.apiKeys.create({ name: `test ${scopes}`, scopes });
  return { authorization: `Bearer ${key}` };
}
