import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { EmbeddedDatabase } from '../../plugins/database/embedded/index.js';
import { StartError } from '../../plugins/start-error.js';
import { ConfigError, loadConfig } from '../../src/config/index.js';

const usage = `Usage: npm run prisma:studio [-- options]

Opens Prisma Studio on the database at DATABASE_URL; without it, on the embedded database: stop the service first.

  --port N     the port (5555)
  --browser B  the browser to open; none: opens none

Example: npm run prisma:studio -- --port 5556 --browser none
`;

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError) && !(error instanceof StartError)) throw error;
  console.error(`musicez: ${error.message}`);
  process.exitCode = 1;
}

/** Runs Prisma Studio on DATABASE_URL, or on the embedded database, which is open until Studio ends. */
async function main() {
  if (process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) return void process.stdout.write(usage);
  const { database } = loadConfig(process.env, { dotenv: true });
  if (database.url !== undefined) return studio({ DATABASE_URL: database.url });
  const embedded = new EmbeddedDatabase(database.dataDir);
  await embedded.start();
  try {
    // One connection: the embedded database has one session. PGHOST: no URL can name a Unix socket to Studio's driver.
    await studio({ DATABASE_URL: 'postgresql:///postgres?max=1', PGHOST: embedded.host, PGUSER: 'postgres' });
  } finally {
    await embedded.stop();
  }
}

// Passes the URL in the environment: every user of the machine can read command lines.
async function studio(connection: Record<string, string>) {
  const child = spawn('npx', ['prisma', 'studio', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, ...connection },
  });
  // Ctrl-C also reaches Studio. This process ends after Studio.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill());
  await once(child, 'exit');
}
