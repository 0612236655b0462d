import { StartError } from '../plugins/start-error.js';
import { CommandError } from './cli/command-line.js';
import { ConfigError } from './config/index.js';

/** Whether the message explains the error, so that no stack trace is needed. */
export function isExplained(error: unknown): error is Error {
  return [CommandError, ConfigError, StartError].some((kind) => error instanceof kind);
}
