import { commandNames } from '../command-names.js';
import type { Config } from '../config/index.js';
import { migrate } from '../migrate.js';
import { parseCommandLine } from './command-line.js';

const usage = `Usage: ${commandNames.migrate} [options]

Applies pending migrations to the database at DATABASE_URL; without it, to the embedded database.

  --rolled-back NAME  first mark the failed migration NAME as rolled back, so that it is applied again

Example: ${commandNames.migrate}
`;

/**
 * Runs `migrate`.
 *
 * @param args the arguments after `migrate`
 * @throws CommandError when `args` are invalid, or the database does not answer
 */
export async function runMigrateCommand(args: string[], config: Config): Promise<void> {
  const { values } = parseCommandLine('migrate', {
    args,
    options: { 'rolled-back': { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return void process.stdout.write(usage);
  await migrate(config, { rolledBack: values['rolled-back'] });
}
