import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { adminScope } from '../plugins/api-keys/index.js';
import { retryWhileUnavailable } from '../plugins/database/connect.js';
import { type Config, packageRoot } from './config/index.js';

/** `npm run keys` compiles first; the container has nothing to do that with. */
const keysCommand = existsSync(join(packageRoot, 'tsconfig.build.json'))
  ? 'npm run keys --'
  : 'node dist/src/cli.js keys';

/**
 * Sees to it that somebody can get in: stores `BOOTSTRAP_ADMIN_KEY`, or makes an admin key for an empty embedded database
 * and prints it. Printed and not logged: logs are kept and passed on.
 */
export function ensureFirstKey(app: FastifyInstance, config: Config): Promise<void> {
  return retryWhileUnavailable(
    () => tryToEnsure(app, config),
    (error) => app.log.warn({ err: error }, 'database unreachable, trying again'),
  );
}

async function tryToEnsure(app: FastifyInstance, { bootstrapAdminKey }: Config) {
  if (bootstrapAdminKey) await app.apiKeys.adopt(bootstrapAdminKey, { name: 'bootstrap', scopes: [adminScope] });
  if (!(await app.apiKeys.isEmpty())) return;
  if (!app.database.embedded) {
    app.log.warn(`there is no API key yet: ${keysCommand} create --name ops --scope admin, or set BOOTSTRAP_ADMIN_KEY`);
    return;
  }
  const { key } = await app.apiKeys.create({ name: 'first', scopes: [adminScope] });
  const { port } = app.server.address() as AddressInfo;
  process.stdout.write(
    `\nAdmin key, shown this once:\n\n  ${key}\n\nTry it:\n\n  curl -H 'Authorization: Bearer ${key}' http://127.0.0.1:${port}/v1/me\n\n`,
  );
}
