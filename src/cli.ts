import { DatabaseStartError } from '../plugins/database/errors.js';
import { CommandError } from './cli/command-line.js';
import { runKeysCommand } from './cli/keys.js';
import { runLogsCommand } from './cli/logs.js';
import { ConfigError, takeConfig } from './config/index.js';

const usage = `Usage: node dist/src/cli.js COMMAND

  keys  make, list, rotate and revoke keys
  logs  write the request log into a file

Each tells more with --help. In a checkout they are npm run keys and npm run logs.

Example: node dist/src/cli.js keys create --name ci --scope admin
`;

const commands = { keys: runKeysCommand, logs: runLogsCommand };
const [command = 'help', ...args] = process.argv.slice(2);

try {
  await run();
} catch (error) {
  if (!isExplained(error)) throw error;
  process.stderr.write(`musicez: ${error.message}\n`);
  process.exitCode = 1;
}

// After migrations the engine leaves a timer of ten seconds behind, which nobody should wait for.
process.exit();

async function run() {
  if (['help', '--help', '-h'].includes(command)) return void process.stdout.write(usage);
  if (!Object.hasOwn(commands, command))
    throw new CommandError(`unknown command "${command}": try "keys --help" or "logs --help"`);
  await commands[command as keyof typeof commands](args, takeConfig());
}

function isExplained(error: unknown): error is Error {
  return [CommandError, ConfigError, DatabaseStartError].some((kind) => error instanceof kind);
}
