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
  ...extensions
}: TestServiceOptions = {}): Promise<TestService> {
  const own = variables.DATA_DIR === undefined ? await mkdtemp(join(tmpdir(), 'musicez-')) : undefined;
  const config = loadConfig({ LOG_LEVEL: 'silent', ...(own && { DATA_DIR: own }), ...variables });
  // Tests share the processors, so the event loop can be late.
  const app = buildApp({ ...config, loadShedding: { maxEventLoopDelayMs: 0 } }, extensions);
  const close = async () => {
    await app.close();
    if (own) await rm(own, { recursive: true, force: true });
  };
  try {
    await app.ready();
    await app.database.ready;
  } catch (error) {
    await close();
    throw error;
  }
  return {
    app,
    close,
    async createKey(...scopes) {
      const { key } = await app.apiKeys.create({ name: `test ${scopes}`, scopes });
      return key;
    },
    client: (key) => clientOf(app, key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
}

/** Creates a client that sends these headers. */
export function clientOf(app: FastifyInstance, headers: Record<string, string | undefined>): TestClient {
  return async (method, url, payload) => {
    const response = await app.inject({ method, url, headers, ...(payload && { payload }) });
    return { status: response.statusCode, headers: response.headers, body: response.body ? response.json() : null };
  };
}
