#!/usr/bin/env node
import { CommandError, parseCommandLine } from './cli/command-line.js';
import { runDoctorCommand } from './cli/doctor.js';
import { runInitCommand } from './cli/init.js';
import { runKeysCommand } from './cli/keys.js';
import { runLogsCommand } from './cli/logs.js';
import { runMigrateCommand } from './cli/migrate.js';
import { runStudioCommand } from './cli/studio.js';
import { commandNames } from './command-names.js';
import { type Config, loadProcessConfig, version } from './config/index.js';
import { isExplained } from './explained-error.js';
import { createService } from './service.js';

const usage = `Usage: musicez COMMAND

  start      start the service
  keys       create, list, update, rotate and revoke keys
  logs       write the request log into a file, or copy it to another store
  migrate    apply pending migrations
  studio     open Prisma Studio on the database
  doctor     check variables, database, Redis, ClickHouse and spool, and say what to do
  init       write a new service that is built on musicez
  --version  print the version

Each command has --help. In this installation: ${Object.values(commandNames).join(', ')}.

Example: ${commandNames.keys} create --name ci --scope admin
`;

const withConfig = (run: (args: string[], config: Config) => Promise<void>) => (args: string[]) =>
  run(args, loadProcessConfig());
const commands = {
  start: withConfig(runStartCommand),
  keys: withConfig(runKeysCommand),
  logs: withConfig(runLogsCommand),
  migrate: withConfig(runMigrateCommand),
  studio: withConfig(runStudioCommand),
  doctor: withConfig(runDoctorCommand),
  init: runInitCommand,
};
const [command = 'help', ...args] = process.argv.slice(2);

let isServing = false;

try {
  await run();
} catch (error) {
  if (!isExplained(error)) throw error;
  process.stderr.write(`musicez: ${error.message}\n`);
  process.exitCode = 1;
}

// Abandoned connection attempts can keep timers.
if (!isServing) process.exit();

async function run() {
  if (['help', '--help', '-h'].includes(command)) return void process.stdout.write(usage);
  if (['version', '--version', '-v'].includes(command)) return void process.stdout.write(`${version}\n`);
  if (!Object.hasOwn(commands, command))
    throw new CommandError(
      `unknown command "${command}": try ${Object.keys(commands)
        .map((name) => `"${name} --help"`)
        .join(', ')}`,
    );
  await commands[command as keyof typeof commands](args);
}

async function runStartCommand(args: string[], config: Config) {
  const { values } = parseCommandLine('start', { args, options: { help: { type: 'boolean', short: 'h' } } });
  if (!values.help) {
    isServing = true;
    return createService({ config }).start();
  }
  process.stdout.write(
    `Usage: ${commandNames.start}\n\nStarts the service with the variables of the environment and of .env.\n\nExample: PORT=8080 ${commandNames.start}\n`,
  );
}
