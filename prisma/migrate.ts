import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { DatabaseStartError } from '../plugins/database/errors.js';
import { markRolledBack } from '../plugins/database/migrations/index.js';
import { openDatabase } from '../plugins/database/open.js';
import { ConfigError, loadConfig } from '../src/config/index.js';
import { nextMigration } from './next-migration.js';

const usage = `Usage: npm run prisma:migrate [-- options]

Applies the migrations that the database at DATABASE_URL (unset: the embedded one) does not have yet.

  --name NAME         first write the next migration: what schema.prisma has and the migrations do not
  --rolled-back NAME  first record that the failed migration NAME left nothing behind, so that it is tried again

Example: npm run prisma:migrate -- --name add_orders
`;

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError) && !(error instanceof DatabaseStartError)) throw error;
  console.error(`musicez: ${error.message}`);
  process.exitCode = 1;
}

// After migrations the engine leaves a timer of ten seconds behind, which nobody should wait for.
process.exit();

async function main() {
  const values = readOptions();
  if (values.help) return void process.stdout.write(usage);
  const { version, database: options } = loadConfig(process.env, { dotenv: true });
  if (values.name !== undefined) await write(values.name, options.prismaDir);

  const database = openDatabase(options);
  try {
    await database.start((error) =>
      console.error(`waiting for the database: ${error.message}. DATABASE_URL says where it is; Ctrl-C gives up`),
    );
    const failed = values['rolled-back'];
    if (failed !== undefined) await markRolledBack(database.pool, database.schema, options.prismaDir, failed);
    const { applied, edited } = await database.migrate(version);
    for (const name of edited) console.warn(`${name} was edited after it had been applied`);
    for (const name of applied) console.log(`${name} applied`);
    if (applied.length === 0) console.log('nothing to apply');
  } finally {
    await database.close();
  }
}

function readOptions() {
  try {
    return parseArgs({
      options: { name: { type: 'string' }, 'rolled-back': { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    throw new ConfigError(`${(error as Error).message.split('.', 1)[0]}: try "npm run prisma:migrate -- --help"`);
  }
}

async function write(name: string, prismaDir: string) {
  if (!/^[a-z0-9_]{1,100}$/.test(name))
    throw new ConfigError(`--name takes lower-case letters, digits and underscores, as in add_orders; not "${name}"`);
  const sql = await nextMigration(prismaDir);
  if (sql === null) throw new ConfigError('the migrations already make what schema.prisma says; nothing to write');
  const timestamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const directory = join(prismaDir, 'migrations', `${timestamp}_${name}`);
  await mkdir(directory);
  await writeFile(join(directory, 'migration.sql'), sql);
  console.log(`${relative(process.cwd(), directory)}/migration.sql written`);
}
