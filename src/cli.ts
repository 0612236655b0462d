import { DatabaseStartError } from '../plugins/database/errors.js';
import { KeysCommandError } from './cli/key-commands.js';
import { runKeysCommand } from './cli/keys.js';
import { ConfigError, loadConfig } from './config/index.js';

const [command, ...args] = process.argv.slice(2);

try {
  if (command !== 'keys') throw new KeysCommandError(`unknown command ${command ?? ''}: try "keys --help"`);
  await runKeysCommand(args, loadConfig(process.env, { dotenv: true }));
} catch (error) {
  if (!isExplained(error)) throw error;
  process.stderr.write(`musicez: ${error.message}\n`);
  process.exitCode = 1;
}

// After migrations the engine leaves a timer of ten seconds behind, which nobody should wait for.
process.exit();

function isExplained(error: unknown): error is Error {
  return [ConfigError, DatabaseStartError, KeysCommandError].some((kind) => error instanceof kind);
}
