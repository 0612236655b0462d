import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { ConfigError, loadConfig } from '../src/config/index.js';
import { BenchError } from './bench-error.js';
import { keyTargets, measureKeys, reportKeys } from './keys/index.js';
import { type BenchOptions, parseOptions, usage } from './options.js';
import { Progress } from './progress.js';
import { report } from './report.js';
import type { BenchResults } from './results.js';
import { run } from './run.js';
import { measureStorage } from './storage/index.js';
import { reportStorage, storageTargets } from './storage/report.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const interrupted = new AbortController();
let exitCodeOnSignal: number | undefined;
// The handlers are never removed: a second Ctrl-C must not leave databases behind.
for (const signal of signals) {
  process.on(signal, () => {
    exitCodeOnSignal = 128 + constants.signals[signal];
    interrupted.abort(new Error(`stopped by ${signal}`));
  });
}

const progress = new Progress();
try {
  await main();
} catch (error) {
  progress.stop();
  process.stderr.write(`bench: ${explain(error)}\n`);
  process.exitCode = exitCodeOnSignal ?? 1;
}

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return void process.stdout.write(usage);
  const { url } = loadConfig(process.env, { dotenv: true }).database;
  if (url === undefined) {
    process.stderr.write('No DATABASE_URL: the figures will be for the embedded database.\n');
  }
  if (options.rows > 0) {
    const results = await measureStorage(options, url, progress, interrupted.signal);
    await show(options, results, reportStorage(results));
    if (options.check && storageTargets(results).some(({ isMet }) => isMet === false)) process.exitCode = 1;
    return;
  }
  if (options.keys > 0) {
    const results = await measureKeys(options.keys, url, progress, interrupted.signal);
    await show(options, results, reportKeys(results));
    if (options.check && keyTargets(results).some(({ isMet }) => isMet === false)) process.exitCode = 1;
    return;
  }
  const results = await run(options, url, progress, interrupted.signal);
  await show(options, results, report(results));
  if (isFailure(results, options.check)) process.exitCode = 1;
}

async function show({ json: file }: BenchOptions, results: object, text: string) {
  // The JSON may have standard output for itself.
  (file === '-' ? process.stderr : process.stdout).write(text);
  const json = `${JSON.stringify(results, rounded, 2)}\n`;
  if (file === '-') process.stdout.write(json);
  else if (file !== undefined) await writeFile(file, json);
}

/** Rounds to three decimals, which is more precise than the measurements. */
function rounded(_name: string, value: unknown) {
  return typeof value === 'number' ? Math.round(value * 1000) / 1000 : value;
}

/** Missing rows and responses always fail the run; other targets only with `--check`. */
function isFailure({ targets }: BenchResults, check: boolean) {
  return targets.some(({ outcome, isRequired }) => outcome === 'missed' && (isRequired || check));
}

function explain(error: unknown) {
  if (exitCodeOnSignal !== undefined) return (interrupted.signal.reason as Error).message;
  if (error instanceof BenchError || error instanceof ConfigError) return error.message;
  return error instanceof Error ? error.stack : String(error);
}
