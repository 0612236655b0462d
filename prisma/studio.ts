import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { EmbeddedDatabase } from '../plugins/database/embedded/index.js';
import { DatabaseStartError } from '../plugins/database/errors.js';
import { ConfigError, loadConfig } from '../src/config/index.js';

const usage = `Usage: npm run prisma:studio [-- options]

Opens Prisma's data browser on the database at DATABASE_URL; without one on the embedded database, while no server has it open.

  --port N     where it listens (5555)
  --browser B  which browser to open; none: do not

Example: npm run prisma:studio -- --port 5556 --browser none
`;

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError) && !(error instanceof DatabaseStartError)) throw error;
  console.error(`musicez: ${error.message}`);
  process.exitCode = 1;
}

/** Prisma Studio on DATABASE_URL; without one on the embedded database, which is open for as long as Studio is. */
async function main() {
  if (process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) return void process.stdout.write(usage);
  const { database } = loadConfig(process.env, { dotenv: true });
  if (database.url !== undefined) return studio({ DATABASE_URL: database.url });
  const embedded = new EmbeddedDatabase(database.dataDir);
  await embedded.start();
  try {
    // One connection, for the embedded database is one session. No URL can name a Unix socket to Studio's driver.
    await studio({ DATABASE_URL: 'postgresql:///postgres?max=1', PGHOST: embedded.host, PGUSER: 'postgres' });
  } finally {
    await embedded.stop();
  }
}

// By the environment, for a command line can be read by everyone on the machine.
async function studio(connection: Record<string, string>) {
  const child = spawn('npx', ['prisma', 'studio', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, ...connection },
  });
  // Ctrl-C reaches Studio as well; this process ends after it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill());
  await once(child, 'exit');
}
