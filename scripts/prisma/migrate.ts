import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { StartError } from '../../plugins/start-error.js';
import { CommandError, parseCommandLine } from '../../src/cli/command-line.js';
import { ConfigError, loadConfig } from '../../src/config/index.js';
import { migrate } from '../../src/migrate.js';
import { lossesOf } from './data-loss.js';
import { nextMigration } from './next-migration.js';

const usage = `Usage: npm run prisma:migrate [-- options]

Applies pending migrations to the database at DATABASE_URL; without it, to the embedded database.

  --name NAME         first write a migration for the changes of schema.prisma. If it removes a table or a column, it is
                      not applied, so that you can edit it; the next run applies it
  --create-only       with --name: write the migration, and apply nothing
  --accept-data-loss  with --name: also apply a migration that removes a table or a column
  --rolled-back NAME  first mark the failed migration NAME as rolled back, so that it is applied again

Example: npm run prisma:migrate -- --name add_orders
`;

try {
  await main();
} catch (error) {
  if (![ConfigError, StartError, CommandError].some((kind) => error instanceof kind)) throw error;
  console.error(`musicez: ${(error as Error).message}`);
  process.exitCode = 1;
}

// Prisma's engine leaves a timer of ten seconds behind.
process.exit();

async function main() {
  const { values } = parseCommandLine('npm run prisma:migrate --', {
    options: {
      name: { type: 'string' },
      'create-only': { type: 'boolean', default: false },
      'accept-data-loss': { type: 'boolean', default: false },
      'rolled-back': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  const config = loadConfig(process.env, { dotenv: true });
  if (values.name !== undefined) {
    const losses = await write(values.name, config.database.prismaDir);
    if (values['create-only']) return;
    if (losses.length > 0 && !values['accept-data-loss']) {
      console.log(
        `not applied, because it would remove ${losses.join(', ')}. For a renamed field, write RENAME COLUMN in its place. The next "npm run prisma:migrate" applies it`,
      );
      return;
    }
  }
  await migrate(config, { rolledBack: values['rolled-back'] });
}

/** @returns what the migration would remove */
async function write(name: string, prismaDir: string): Promise<string[]> {
  if (!/^[a-z0-9_]{1,100}$/.test(name))
    throw new ConfigError(
      `--name must consist of lower-case letters, digits and underscores, as in add_orders; not "${name}"`,
    );
  const sql = await nextMigration(prismaDir);
  if (sql === null) throw new ConfigError('the migrations already match schema.prisma; nothing to write');
  const timestamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const directory = join(prismaDir, 'migrations', `${timestamp}_${name}`);
  await mkdir(directory);
  await writeFile(join(directory, 'migration.sql'), sql);
  console.log(`${relative(process.cwd(), directory)}/migration.sql written`);
  return lossesOf(sql);
}
