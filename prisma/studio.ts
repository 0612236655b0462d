import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { EmbeddedDatabase } from '../plugins/database/embedded/index.js';
import { DatabaseStartError } from '../plugins/database/errors.js';
import { ConfigError, loadConfig } from '../src/config/index.js';

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError) && !(error instanceof DatabaseStartError)) throw error;
  console.error(`musicez: ${error.message}`);
  process.exitCode = 1;
}

/** Prisma Studio on DATABASE_URL; without one on the embedded database, which is open for as long as Studio is. */
async function main() {
  const { database } = loadConfig(process.env, { dotenv: true });
  if (database.url !== undefined) return studio(database.url);
  const embedded = new EmbeddedDatabase(database.dataDir);
  await embedded.start();
  try {
    // One connection: the embedded database is one session.
    await studio(`postgresql://postgres@${encodeURIComponent(embedded.host)}:5432/postgres?max=1`);
  } finally {
    await embedded.stop();
  }
}

async function studio(url: string) {
  // The URL goes by the environment: a command line can be read by everyone on the machine.
  const child = spawn('npx', ['prisma', 'studio', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, DATABASE_URL: url },
  });
  // Ctrl-C reaches Studio as well; this process ends after it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill());
  await once(child, 'exit');
}
