import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { runListening, unlessInstalled } from '../deploy/proxy-processes.js';
import { freePort } from '../process.js';
import { temporaryDirectory } from '../temporary-directory.js';

/** A reverse proxy that forwards everything over keep-alive connections. */
interface PlainProxy {
  name: string;
  skip: string | false;
  /** @returns the port that it listens on */
  start(t: Test, upstreamPort: number): Promise<number>;
}

const temporaryPaths = (directory: string) =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ');

export const plainProxies: PlainProxy[] = [
  {
    name: 'nginx',
    skip: unlessInstalled('nginx', '-v'),
    async start(t, upstreamPort) {
      const directory = temporaryDirectory(t);
      const port = await freePort();
      mkdirSync(join(directory, 'logs'));
      writeFileSync(
        join(directory, 'nginx.conf'),
        `pid ${directory}/nginx.pid; daemon off; error_log stderr crit; events {}
        http {
          access_log off; ${temporaryPaths(directory)}
          upstream musicez { server 127.0.0.1:${upstreamPort}; keepalive 8; }
          server {
            listen 127.0.0.1:${port};
            location / { proxy_pass http://musicez; proxy_http_version 1.1; proxy_set_header Connection ""; }
          }
        }`,
      );
      await runListening(t, 'nginx', ['-p', directory, '-c', join(directory, 'nginx.conf')], {}, port);
      return port;
    },
  },
  {
    name: 'HAProxy',
    skip: unlessInstalled('haproxy', '-v'),
    async start(t, upstreamPort) {
      const directory = temporaryDirectory(t);
      const port = await freePort();
      writeFileSync(
        join(directory, 'haproxy.cfg'),
        `defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  http-reuse always
frontend all
  bind 127.0.0.1:${port}
  default_backend musicez
backend musicez
  server one 127.0.0.1:${upstreamPort}
`,
      );
      await runListening(t, 'haproxy', ['-db', '-f', join(directory, 'haproxy.cfg')], {}, port);
      return port;
    },
  },
];
