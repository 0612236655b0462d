import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { acceptsConnections, freePort } from '../process.js';
import { root } from '../root.js';
import { temporaryDirectory } from '../temporary-directory.js';

// Debian installs nginx in /usr/sbin.
const path = `${process.env.PATH}:/usr/sbin`;
const recipes = join(root, 'deploy/proxies');

/** A reverse proxy with the project's configuration. */
export interface Proxy {
  name: 'nginx' | 'caddy';
  /** `{ skip: proxy.skip }`; in CI a missing proxy is a failure. */
  skip: string | false;
  /**
   * Starts the proxy. It is stopped when the test ends.
   *
   * @param musicez host and port of the service
   * @param upstream host and port of the protected server
   * @returns its URL
   */
  start(t: Test, musicez: string, upstream: string): Promise<string>;
}

export const proxies: Proxy[] = [
  {
    name: 'nginx',
    skip: unlessInstalled('nginx', '-v'),
    async start(t, musicez, upstream) {
      const directory = temporaryDirectory(t);
      const port = await freePort();
      const config = join(directory, 'nginx.conf');
      const recipe = readFileSync(join(recipes, 'nginx.conf'), 'utf8')
        .replace('server 127.0.0.1:3000;', `server ${musicez};`)
        .replace('server 127.0.0.1:8080;', `server ${upstream};`)
        .replace('listen 8000;', `listen 127.0.0.1:${port};`)
        .replace('pid /run/nginx.pid;', `pid ${directory}/nginx.pid; daemon off;`)
        .replace(
          'access_log off;',
          ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].reduce(
            (all, name) => `${all} ${name}_temp_path ${directory}/${name};`,
            'access_log off;',
          ),
        );
      writeFileSync(config, recipe);
      mkdirSync(join(directory, 'logs'));
      await runListening(t, 'nginx', ['-p', directory, '-c', config], {}, port);
      return `http://127.0.0.1:${port}`;
    },
  },
  {
    name: 'caddy',
    skip: unlessInstalled('caddy', 'version'),
    async start(t, musicez, upstream) {
      const directory = temporaryDirectory(t);
      const port = await freePort();
      const env = {
        PORT: `${port}`,
        HOST: '127.0.0.1',
        ADMIN: 'off',
        MUSICEZ: musicez,
        UPSTREAM: upstream,
        XDG_DATA_HOME: directory,
        XDG_CONFIG_HOME: directory,
      };
      const args = ['run', '--adapter', 'caddyfile', '--config', join(recipes, 'Caddyfile')];
      await runListening(t, 'caddy', args, env, port);
      return `http://127.0.0.1:${port}`;
    },
  },
];

/** @returns why a test must be skipped, or false. In CI a missing program is a failure. */
export function unlessInstalled(program: string, versionOption: string) {
  try {
    execFileSync(program, [versionOption], { stdio: 'ignore', env: { PATH: path } });
    return false;
  } catch {
    return process.env.CI ? false : `needs ${program}`;
  }
}

/** Runs a program until the test ends. Resolves when it listens. */
export async function runListening(t: Test, program: string, args: string[], env: NodeJS.ProcessEnv, port: number) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: path, ...env } });
  let output = '';
  child.stderr.on('data', (chunk) => (output += chunk));
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  while (!(await acceptsConnections(port))) {
    if (child.exitCode !== null) throw new Error(`${program} ended:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
