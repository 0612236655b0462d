import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import type { LoadGenerator } from './generator.js';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** The fields of autocannon's report that are used. Latencies are whole milliseconds. */
interface Report {
  /** Seconds. */
  duration: number;
  '2xx': number;
  non2xx: number;
  errors: number;
  resets: number;
  latency: { p50: number; p99: number };
}

/** @see https://github.com/mcollina/autocannon */
export function autocannon(connections: number): LoadGenerator {
  const { version } = require('autocannon/package.json') as { version: string };
  return {
    name: 'autocannon',
    version,
    async run({ url, authorization }, seconds, signal) {
      const args = ['--json', '-c', `${connections}`, '-d', `${seconds}`, '-H', `authorization=${authorization}`];
      const { stdout } = await run(process.execPath, [require.resolve('autocannon'), ...args, url], { signal });
      const report = JSON.parse(stdout) as Report;
      return {
        requestsPerSecond: report['2xx'] / report.duration,
        p50Ms: report.latency.p50,
        p99Ms: report.latency.p99,
        answered: report['2xx'],
        failed: report.non2xx + report.errors + report.resets,
      };
    },
  };
}
