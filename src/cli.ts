import { DatabaseStartError } from '../plugins/database/errors.js';
import { CommandError } from './cli/command-line.js';
import { runKeysCommand } from './cli/keys.js';
import { runLogsCommand } from './cli/logs.js';
import { ConfigError, loadConfig } from './config/index.js';

const commands = { keys: runKeysCommand, logs: runLogsCommand };
const [command = '', ...args] = process.argv.slice(2);

try {
  if (!Object.hasOwn(commands, command)) {
    throw new CommandError(`unknown command "${command}": try "keys --help" or "logs --help"`);
  }
  await commands[command as keyof typeof commands](args, loadConfig(process.env, { dotenv: true }));
} catch (error) {
  if (!isExplained(error)) throw error;
  process.stderr.write(`musicez: ${error.message}\n`);
  process.exitCode = 1;
}

// After migrations the engine leaves a timer of ten seconds behind, which nobody should wait for.
process.exit();

function isExplained(error: unknown): error is Error {
  return [CommandError, ConfigError, DatabaseStartError].some((kind) => error instanceof kind);
}
