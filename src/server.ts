import { setFlagsFromString } from 'node:v8';
import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import { DatabaseStartError } from '../plugins/database/errors.js';
import { buildApp } from './app.js';
import { ConfigError, closeDeadlineMs, loadConfig, secretVariables } from './config/index.js';
import { ensureFirstKey } from './first-key.js';

// A record waits a tenth of a second for its batch, long enough to be taken for old. V8 lets a small old generation grow
// fourfold before it looks; looking at twice the size saves a container 50 MB at the same throughput.
setFlagsFromString('--heap-growing-percent=100');

try {
  await main();
} catch (error) {
  if (!isExplained(error)) throw error;
  process.stderr.write(`musicez: ${error.message}\n`);
  process.exitCode = 1;
}

async function main() {
  const config = loadConfig(process.env, { dotenv: true });
  // A diagnostic report of Node.js, as after a crash, has the whole environment in it.
  for (const name of secretVariables) delete process.env[name];
  let app: FastifyInstance | undefined;
  const delay = config.drain.delayMs + closeDeadlineMs;
  closeWithGrace({ delay, skip: ['beforeExit'] }, async ({ signal, err }) => {
    if (!err) app?.log.info(`${signal} received, stopping`);
    else if (app) app.log.fatal({ err }, 'unexpected error, stopping');
    else process.stderr.write(`${err.stack}\n`);
    await app?.drain.stop();
  });

  app = await buildApp(config);
  const { drain, database, health } = app;
  try {
    await app.listen({ port: config.port, host: config.host });
    await database.ready;
    await ensureFirstKey(app, config);
    health.markWarm();
  } catch (error) {
    if (drain.isDraining) return;
    await app.close();
    throw error;
  }
}

/** Whether the message alone tells whoever starts the service what to do. */
function isExplained(error: unknown): error is Error {
  const { syscall } = error as NodeJS.ErrnoException;
  return error instanceof ConfigError || error instanceof DatabaseStartError || syscall === 'listen';
}
