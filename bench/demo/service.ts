import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import type { Defer } from '../defer.js';
import { type Client, makeClients } from './clients.js';
import { writeHistory } from './history.js';
import { shopRoutes } from './shop.js';
import { isInTroubleAfter } from './traffic.js';

export interface DemoService {
  /** Such as `http://127.0.0.1:3000`. */
  origin: string;
  adminKey: string;
  clients: Client[];
  /** How many rows the day before has. */
  historyRows: number;
  /** From now on the provider of payments has its trouble. */
  begin(): void;
}

interface DemoOptions {
  /** 0: one that is free. */
  port: string;
  /** Told which share of the day before is written. */
  tell: (share: number) => void;
  signal?: AbortSignal;
}

/**
 * Starts this service with the shop's routes in it, on an embedded database of its own, with clients and a day of past;
 * what it leaves goes when `defer` says so.
 */
export async function startDemo({ port, tell, signal }: DemoOptions, defer: Defer): Promise<DemoService> {
  const directory = await mkdtemp(join(tmpdir(), 'musicez-demo-'));
  defer(() => rm(directory, { recursive: true, force: true }));
  const env = { DATA_DIR: directory, PORT: port, HOST: '127.0.0.1', LOG_LEVEL: 'silent', TRUST_PROXY: 'loopback' };
  const config = loadConfig(env);
  const app = await buildApp(config);
  defer(() => app.close());
  let startedAt = Number.POSITIVE_INFINITY;
  await app.register(shopRoutes, { isInTrouble: () => isInTroubleAfter(performance.now() - startedAt) });
  await app.listen({ port: config.port, host: config.host });
  await app.database.ready;
  const { key: adminKey } = await app.apiKeys.create({ name: 'on call', scopes: ['admin'] });
  const clients = await makeClients(app);
  app.health.markWarm();
  const historyRows = await writeHistory(app, clients, tell, signal);
  return {
    origin: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    adminKey,
    clients,
    historyRows,
    begin() {
      startedAt = performance.now();
    },
  };
}
