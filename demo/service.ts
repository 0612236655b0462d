import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Defer } from '../scripts/cleanup.js';
import { buildApp } from '../src/app.js';
import { loadConfig } from '../src/config/index.js';
import { type Client, makeClients } from './clients.js';
import { writeHistory } from './history.js';
import { shopRoutes } from './shop.js';
import { isOutageAfter } from './traffic.js';

export interface DemoService {
  /** Such as `http://127.0.0.1:3000`. */
  origin: string;
  adminKey: string;
  clients: Client[];
  /** The number of rows of the generated history. */
  historyRows: number;
  /** Starts the schedule of the payment provider's outages. */
  startOutageSchedule(): void;
}

interface DemoOptions {
  /** 0: a free port. */
  port: string;
  /** Called with the share of the history that is written, from 0 to 1. */
  onProgress: (share: number) => void;
  signal?: AbortSignal;
}

/**
 * Starts this service with the routes of the shop, on a temporary embedded database with clients and a generated history.
 * Registers the cleanup with `defer`.
 */
export async function startDemo({ port, onProgress, signal }: DemoOptions, defer: Defer): Promise<DemoService> {
  const directory = await mkdtemp(join(tmpdir(), 'musicez-demo-'));
  defer(() => rm(directory, { recursive: true, force: true }));
  const env = { DATA_DIR: directory, PORT: port, HOST: '127.0.0.1', LOG_LEVEL: 'silent', TRUST_PROXY: 'loopback' };
  const config = loadConfig(env);
  // Generating the history makes the event loop of this process late.
  const app = await buildApp({ ...config, loadShedding: { maxEventLoopDelayMs: 0 } });
  defer(() => app.close());
  let startedAt = Number.POSITIVE_INFINITY;
  await app.register(shopRoutes, { isOutage: () => isOutageAfter(performance.now() - startedAt) });
  await app.listen({ port: config.port, host: config.host });
  await app.database.ready;
  const { key: adminKey } = await app.apiKeys.create({ name: 'on call', scopes: ['admin'] });
  const clients = await makeClients(app);
  app.health.markWarm();
  const historyRows = await writeHistory(app, clients, onProgress, signal);
  return {
    origin: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    adminKey,
    clients,
    historyRows,
    startOutageSchedule() {
      startedAt = performance.now();
    },
  };
}
