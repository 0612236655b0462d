import { ConfigError } from '../../src/config/index.js';
import { BenchError } from '../bench-error.js';
import { type Defer, withCleanup } from '../defer.js';
import { readOptions, usage } from './options.js';
import { DemoProgress } from './progress.js';
import { startDemo } from './service.js';
import { sendTraffic } from './traffic.js';

const stopped = new AbortController();
// Listened to all the time: one more Ctrl-C must not leave the directory behind.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stopped.abort());

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else await withCleanup((defer) => show(options.minutes, defer));
} catch (error) {
  if (!stopped.signal.aborted) {
    process.stderr.write(`demo: ${explain(error)}\n`);
    process.exitCode = 1;
  }
}

async function show(minutes: number, defer: Defer) {
  const past = new DemoProgress('a day of past');
  defer(async () => past.stop());
  const options = { port: process.env.PORT ?? '0', signal: stopped.signal };
  const demo = await startDemo({ ...options, tell: (share) => past.update(share, 'writing') }, defer);
  past.stop();
  process.stdout.write(`
  ${demo.origin}/dashboard

  Admin key: ${demo.adminKey}

The day before is made up (${demo.historyRows.toLocaleString('en-US')} requests); what comes now is sent for ${minutes} min. Ctrl-C ends it.

`);

  const now = new DemoProgress('traffic');
  defer(async () => now.stop());
  const durationMs = minutes * 60_000;
  demo.begin();
  const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(durationMs)]);
  const counts = await sendTraffic(
    demo.origin,
    demo.adminKey,
    demo.clients,
    ({ answered, errors }, elapsedMs) =>
      now.update(elapsedMs / durationMs, `${answered.toLocaleString('en-US')} answered, ${errors} with 500 or more`),
    signal,
  );
  now.stop();
  process.stdout.write(
    `${counts.answered.toLocaleString('en-US')} requests were answered, ${counts.lost} were not. All of it is removed.\n`,
  );
}

function explain(error: unknown) {
  if (error instanceof BenchError || error instanceof ConfigError) return error.message;
  const { code, syscall, message, stack } = error as NodeJS.ErrnoException;
  return syscall === 'listen' ? `${message} (${code}): choose another PORT` : stack;
}
