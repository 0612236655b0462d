import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { adminScope } from '../plugins/api-keys/index.js';
import { retryWhileUnavailable } from '../plugins/database/connect.js';
import { OutageLog } from '../plugins/database/outage-log.js';
import { isReadOnlyError } from '../plugins/database/unavailable.js';
import { commandNames } from './command-names.js';
import type { Config } from './config/index.js';

const bootstrapName = 'bootstrap';

/**
 * Ensures that there is an admin key: stores `BOOTSTRAP_ADMIN_KEY`, or creates and prints one for an empty embedded database. It is
 * not logged, because logs are stored and forwarded.
 */
export function ensureFirstKey(app: FastifyInstance, config: Config): Promise<void> {
  const outage = new OutageLog(app.log);
  return retryWhileUnavailable(
    () => tryToEnsure(app, config),
    (error) => outage.failed('the first key waits for the database', error),
  );
}

async function tryToEnsure(app: FastifyInstance, { bootstrapAdminKey }: Config) {
  if (bootstrapAdminKey) await adopt(app, bootstrapAdminKey);
  if (!(await app.apiKeys.isEmpty())) return;
  if (!app.database.isEmbedded) {
    app.log.warn(
      `there is no API key yet: ${commandNames.keys} create --name ops --scope admin, or set BOOTSTRAP_ADMIN_KEY`,
    );
    return;
  }
  const { key } = await app.apiKeys.create({ name: 'first', scopes: [adminScope] });
  const { port } = app.server.address() as AddressInfo;
  process.stdout.write(
    `\nAdmin key, shown this once:\n\n  ${key}\n\nTry it:\n\n  curl -H 'Authorization: Bearer ${key}' http://127.0.0.1:${port}/v1/me\n\n`,
  );
}

async function adopt(app: FastifyInstance, key: string) {
  const fields = { name: bootstrapName, scopes: [adminScope] };
  let adoption: string;
  try {
    adoption = await app.apiKeys.adopt(key, fields);
  } catch (error) {
    if (!isReadOnlyError(error)) throw error;
    app.log.warn('BOOTSTRAP_ADMIN_KEY is not stored: the database is read-only');
    return;
  }
  if (adoption === 'revoked')
    app.log.warn(
      'BOOTSTRAP_ADMIN_KEY names a revoked key, which stays revoked; set it to a new one ("keys generate"), or unset it',
    );
  for (const { id, start } of await app.apiKeys.adoptedBefore(bootstrapName, key))
    app.log.warn(`the former bootstrap key ${start}… still works: revoke ${id} when it is no longer needed`);
}
