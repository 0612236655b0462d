import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { EmbeddedDatabase } from '../../plugins/database/embedded/index.js';
import { commandNames } from '../command-names.js';
import { type Config, packageRoot } from '../config/index.js';
import { CommandError } from './command-line.js';

const usage = `Usage: ${commandNames.studio} [options]

Opens Prisma Studio on the database at DATABASE_URL; without it, on the embedded database: stop the service first.
Needs the package prisma: npm install --save-dev prisma

  --port N     the port (5555)
  --browser B  the browser to open; none: opens none

Example: ${commandNames.studio} --port 5556 --browser none
`;

/**
 * Runs Prisma Studio on DATABASE_URL, or on the embedded database, which is open until Studio ends.
 *
 * @param args the options of Prisma Studio
 * @throws CommandError when the package prisma is not installed
 */
export async function runStudioCommand(args: string[], { database }: Config): Promise<void> {
  if (args.some((arg) => arg === '--help' || arg === '-h')) return void process.stdout.write(usage);
  const program = prismaProgram();
  if (database.url !== undefined) return runStudio(program, args, { DATABASE_URL: database.url });
  const embedded = new EmbeddedDatabase(database.dataDir);
  await embedded.start();
  try {
    // One connection: the embedded database has one session. PGHOST: Studio's driver does not accept a Unix socket in a URL.
    const url = 'postgresql:///postgres?max=1';
    await runStudio(program, args, { DATABASE_URL: url, PGHOST: embedded.host, PGUSER: 'postgres' });
  } finally {
    await embedded.stop();
  }
}

/** The program of the package prisma, which production does not need. */
function prismaProgram(): string {
  try {
    return createRequire(import.meta.url).resolve('prisma/build/index.js');
  } catch {
    throw new CommandError('Prisma Studio is in the package prisma: npm install --save-dev prisma');
  }
}

// Passes the URL in the environment: every user of the machine can read command lines.
async function runStudio(program: string, args: string[], connection: Record<string, string>) {
  const child = spawn(
    process.execPath,
    [program, 'studio', '--config', join(packageRoot, 'prisma.config.ts'), ...args],
    {
      stdio: 'inherit',
      env: { ...process.env, ...connection },
    },
  );
  // Ctrl-C also reaches Studio. This process ends after Studio.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill());
  await once(child, 'exit');
}
