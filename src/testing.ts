// The entry `musicez/testing`: the service in the process of a test.

// Also for its types: they add the decorators of the plugins to those of Fastify.
import '../plugins/index.js';

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { buildApp, type Extensions } from './app.js';
import { loadConfig } from './config/index.js';

export interface TestServiceOptions extends Extensions {
  /** Variables of the service. Without `DATABASE_URL` and `DATA_DIR`, its database is a new embedded one. */
  variables?: NodeJS.ProcessEnv;
  /** False: `/readyz` is 503, as before the service is warm. */
  isWarm?: boolean;
}

export interface TestService {
  readonly app: FastifyInstance;
  /** Creates a key with these scopes. @returns the key */
  createKey(...scopes: string[]): Promise<string>;
  /** Creates a client that sends this key; undefined: none. */
  client(key?: string): TestClient;
  /** Stops the service, and removes a database that it created. */
  close(): Promise<void>;
}

/** Sends a request with a JSON body, and parses the response. `body` is null without a body. */
export type TestClient = (
  method: NonNullable<InjectOptions['method']>,
  url: string,
  payload?: object,
  // biome-ignore lint/suspicious/noExplicitAny: tests compare the body with what they expect.
) => Promise<{ status: number; headers: Record<string, unknown>; body: any }>;

/** Starts the service without a port. Its database is migrated when this resolves. */
export async function startTestService({
  variables = {},
  isWarm = true,
  ...extensions
}: TestServiceOptions = {}): Promise<TestService> {
  const own = variables.DATA_DIR === undefined ? await mkdtemp(join(tmpdir(), 'musicez-')) : undefined;
  let app: FastifyInstance | undefined;
  const close = async () => {
    await app?.close();
    if (own) await rm(own, { recursive: true, force: true });
  };
  try {
    app = await startApp({ LOG_LEVEL: 'silent', ...(own && { DATA_DIR: own }), ...variables }, extensions);
  } catch (error) {
    await close();
    throw error;
  }
  if (isWarm) app.health.markWarm();
  const service = app;
  return {
    app: service,
    close,
    async createKey(...scopes) {
      const { key } = await service.apiKeys.create({ name: `test ${scopes}`, scopes });
      return key;
    },
    client: (key) => clientOf(service, key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
}

async function startApp(variables: NodeJS.ProcessEnv, extensions: Extensions): Promise<FastifyInstance> {
  // Tests share the processors, so the event loop can be late.
  const app = buildApp({ ...loadConfig(variables), loadShedding: { maxEventLoopDelayMs: 0 } }, extensions);
  try {
    await app.ready();
    await app.database.ready;
    return app;
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** Creates a client that sends these headers. */
export function clientOf(app: FastifyInstance, headers: Record<string, string | undefined>): TestClient {
  return async (method, url, payload) => {
    const response = await app.inject({ method, url, headers, ...(payload && { payload }) });
    return { status: response.statusCode, headers: response.headers, body: response.body ? response.json() : null };
  };
}
