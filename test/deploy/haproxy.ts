import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { freePort } from '../process.js';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { runListening, unlessInstalled } from './proxy-processes.js';

const recipe = join(root, 'deploy/proxies/haproxy.cfg');

/** `{ skip: needsHaproxy }`; in CI a missing HAProxy is a failure. */
export const needsHaproxy = unlessInstalled('haproxy', '-v');

/** One line of HAProxy's statistics, keyed by the column names of its management guide. */
export type Statistics = Record<string, string>;

/**
 * Starts HAProxy with the project's configuration, but with readiness checks ten times as often.
 *
 * @param ports of the three replicas on this machine
 */
export async function startHaproxy(t: Test, ports: number[]) {
  const directory = temporaryDirectory(t);
  const socket = join(directory, 'admin.sock');
  const port = await freePort();
  const config = ports.reduce(
    (config, port, index) => config.replace(`10.0.0.${index + 1}:3000`, `127.0.0.1:${port}`),
    readFileSync(recipe, 'utf8')
      .replace('/run/haproxy/admin.sock mode', `${socket} mode`)
      .replace('bind :8000', `bind 127.0.0.1:${port}`)
      .replace('inter 1s', 'inter 100ms'),
  );
  writeFileSync(join(directory, 'haproxy.cfg'), config);
  await runListening(t, 'haproxy', ['-db', '-f', join(directory, 'haproxy.cfg')], {}, port);

  /** Returns the statistics of each replica, in order. */
  async function statistics(): Promise<Statistics[]> {
    const connection = connect(socket);
    await once(connection, 'connect');
    connection.write('show stat\n');
    const [names = [], ...lines] = (await text(connection))
      .split('\n')
      .map((line) => line.replace('# ', '').split(','));
    return lines
      .filter(([proxy, server]) => proxy === 'musicez' && server !== 'BACKEND')
      .map((line) => Object.fromEntries(names.map((name, column) => [name, line[column] ?? ''])));
  }

  return {
    url: `http://127.0.0.1:${port}`,
    statistics,
    /** Waits until HAProxy sends requests to all replicas. */
    async untilAllUp() {
      while ((await statistics()).some(({ status }) => status !== 'UP')) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}
