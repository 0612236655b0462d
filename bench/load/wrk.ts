import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import type { Load, LoadGenerator } from './generator.js';

const run = promisify(execFile);
const millisecondsPer = { us: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 } as const;

/**
 * @returns undefined when wrk is not installed
 * @see https://github.com/wg/wrk
 */
export async function wrk(connections: number): Promise<LoadGenerator | undefined> {
  // `wrk --version` also prints the usage, and exits with an error.
  const { stdout, error } = spawnSync('wrk', ['--version'], { encoding: 'utf8' });
  if (error) return undefined;
  return {
    name: 'wrk',
    version: /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'of unknown version',
    async run({ url, authorization }, seconds, signal) {
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '--latency'];
      const { stdout } = await run('wrk', [...args, '-H', `Authorization: ${authorization}`, url], { signal });
      return readReport(stdout);
    },
  };
}

/**
 * Reads what `wrk --latency` prints.
 *
 * @throws when a figure is missing
 */
export function readReport(report: string): Load {
  const figure = (pattern: RegExp) => {
    const text = pattern.exec(report)?.[1];
    if (text === undefined) throw new Error(`wrk's report has no ${pattern.source}:\n${report}`);
    return Number(text);
  };
  const latency = (percent: number) => {
    const unit = new RegExp(`^ +${percent}% +[\\d.]+([a-z]+)$`, 'm').exec(report)?.[1] as keyof typeof millisecondsPer;
    return figure(new RegExp(`^ +${percent}% +([\\d.]+)`, 'm')) * millisecondsPer[unit];
  };
  const non2xxCount = Number(/Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? 0);
  const [, errors = ''] = /Socket errors: (.+)/.exec(report) ?? [];
  const socketErrorCount = (errors.match(/\d+/g) ?? []).reduce((sum, text) => sum + Number(text), 0);
  return {
    requestsPerSecond: figure(/^Requests\/sec: +([\d.]+)/m),
    p50Ms: latency(50),
    p99Ms: latency(99),
    answered: figure(/(\d+) requests in /) - non2xxCount,
    failed: non2xxCount + socketErrorCount,
  };
}
