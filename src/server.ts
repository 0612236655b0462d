import { setFlagsFromString } from 'node:v8';
import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import { DatabaseStartError } from '../plugins/database/errors.js';
import { buildApp } from './app.js';
import { type Config, ConfigError, closeDeadlineMs, takeConfig } from './config/index.js';
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
  const config = takeConfig();
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
    await listen(app, config);
    await database.ready;
    await ensureFirstKey(app, config);
    health.markWarm();
  } catch (error) {
    if (drain.isDraining) return;
    await app.close();
    throw error;
  }
}

/** @throws ConfigError when PORT or HOST cannot be had */
async function listen(app: FastifyInstance, { port, host }: Config) {
  try {
    await app.listen({ port, host });
  } catch (error) {
    const { syscall, code, message } = error as NodeJS.ErrnoException;
    if (syscall !== 'listen' && syscall !== 'getaddrinfo') throw error;
    const name = code === 'EADDRINUSE' || code === 'EACCES' ? 'PORT' : 'HOST';
    throw new ConfigError(`${name} cannot be used: ${message}`);
  }
}

/** Whether the message alone tells whoever starts the service what to do. */
function isExplained(error: unknown): error is Error {
  return error instanceof ConfigError || error instanceof DatabaseStartError;
}
