import { StartError } from '../plugins/start-error.js';
import { CommandError } from './cli/command-line.js';
import { runKeysCommand } from './cli/keys.js';
import { runLogsCommand } from './cli/logs.js';
import { runMigrateCommand } from './cli/migrate.js';
import { ConfigError, loadProcessConfig, version } from './config/index.js';

const usage = `Usage: node dist/src/cli.js COMMAND

  keys       create, list, update, rotate and revoke keys
  logs       write the request log into a file
  migrate    apply pending migrations
  --version  print the version

Each command has --help. In a checkout they are npm run keys, npm run logs and npm run prisma:migrate.

Example: node dist/src/cli.js keys create --name ci --scope admin
`;

const commands = { keys: runKeysCommand, logs: runLogsCommand, migrate: runMigrateCommand };
const [command = 'help', ...args] = process.argv.slice(2);

try {
  await run();
} catch (error) {
  if (!isExplained(error)) throw error;
  process.stderr.write(`musicez: ${error.message}\n`);
  process.exitCode = 1;
}

// Abandoned connection attempts can keep timers.
process.exit();

async function run() {
  if (['help', '--help', '-h'].includes(command)) return void process.stdout.write(usage);
  if (['version', '--version', '-v'].includes(command)) return void process.stdout.write(`${version}\n`);
  if (!Object.hasOwn(commands, command))
    throw new CommandError(
      `unknown command "${command}": try ${Object.keys(commands)
        .map((name) => `"${name} --help"`)
        .join(', ')}`,
    );
  await commands[command as keyof typeof commands](args, loadProcessConfig());
}

function isExplained(error: unknown): error is Error {
  return [CommandError, ConfigError, StartError].some((kind) => error instanceof kind);
}
