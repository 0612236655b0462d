import { type Defer, withCleanup } from '../scripts/cleanup.js';
import { CommandError } from '../src/cli/command-line.js';
import { ConfigError } from '../src/config/index.js';
import { parseOptions, usage } from './options.js';
import { DemoProgress } from './progress.js';
import { startDemo } from './service.js';
import { sendTraffic } from './traffic.js';

const stopped = new AbortController();
// The handlers are never removed: a second Ctrl-C must not leave the directory behind.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stopped.abort());

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else await withCleanup((defer) => show(options.minutes, defer));
} catch (error) {
  if (!stopped.signal.aborted) {
    process.stderr.write(`demo: ${explain(error)}\n`);
    process.exitCode = 1;
  }
}

async function show(minutes: number, defer: Defer) {
  const past = new DemoProgress('history');
  defer(async () => past.stop());
  const options = { port: process.env.PORT ?? '0', signal: stopped.signal };
  const demo = await startDemo({ ...options, onProgress: (share) => past.update(share, 'writing') }, defer);
  past.stop();
  process.stdout.write(`
  ${demo.origin}/dashboard

  Admin key: ${demo.adminKey}

The last two days are generated (${demo.historyRows.toLocaleString('en-US')} requests). Live traffic runs for ${minutes} min. Ctrl-C stops the demo.

`);

  const now = new DemoProgress('traffic');
  defer(async () => now.stop());
  const durationMs = minutes * 60_000;
  demo.startOutageSchedule();
  // A plain timer: a timeout signal inside AbortSignal.any can be garbage-collected before it fires.
  const timer = setTimeout(() => stopped.abort(), durationMs);
  defer(async () => clearTimeout(timer));
  const counts = await sendTraffic(
    demo.origin,
    demo.adminKey,
    demo.clients,
    ({ answered, errors }, elapsedMs) =>
      now.update(elapsedMs / durationMs, `${answered.toLocaleString('en-US')} answered, ${errors} with 500 or more`),
    stopped.signal,
  );
  now.stop();
  process.stdout.write(
    `${counts.answered.toLocaleString('en-US')} requests were answered, ${counts.lost} were not. All data of the demo is removed.\n`,
  );
}

function explain(error: unknown) {
  if (error instanceof CommandError || error instanceof ConfigError) return error.message;
  const { code, syscall, message, stack } = error as NodeJS.ErrnoException;
  return syscall === 'listen' ? `${message} (${code}): choose another PORT` : stack;
}
