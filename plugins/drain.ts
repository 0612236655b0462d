import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    drain: Drain;
  }
}

export interface Drain {
  /** Whether the service is on its way out: its readiness probe says so, and answers end their connections. */
  readonly isDraining: boolean;
  /**
   * Stops the service without a failed request: readiness goes first, then for `delayMs` all goes on while whoever
   * routes to it takes notice, then everything closes.
   */
  stop(): Promise<void>;
}

export interface DrainOptions {
  /** How long to go on serving once unready, in milliseconds. */
  delayMs: number;
  /** How long requests in flight may take once it closes, in milliseconds; then their connections end. */
  requestsDeadlineMs: number;
}

const reapEveryMs = 100;

/** @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination */
export default fp<DrainOptions>(
  async (app, { delayMs, requestsDeadlineMs }) => {
    let isDraining = false;

    app.decorate('drain', {
      get isDraining() {
        return isDraining;
      },
      async stop() {
        isDraining = true;
        // Each answer from now on ends its connection, so that the client's next request goes elsewhere.
        app.server.prependListener('request', (_request, response) => {
          response.shouldKeepAlive = false;
        });
        await sleep(delayMs);
        await app.close();
      },
    });

    const connections = new Set<Socket>();
    app.server.on('connection', (socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
    });

    // The server does none of this by itself: a connection that turns idle while it closes would hold it for
    // `keepAliveTimeout`, over a minute; one that has sent nothing, or half a request, for ever.
    app.addHook('preClose', (done) => {
      isDraining = true;
      const reaper = setInterval(() => {
        app.server.closeIdleConnections();
        for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
      }, reapEveryMs);
      const deadline = setTimeout(() => app.server.closeAllConnections(), requestsDeadlineMs);
      app.server.once('close', () => {
        clearInterval(reaper);
        clearTimeout(deadline);
      });
      reaper.unref();
      deadline.unref();
      done();
    });
  },
  { name: 'drain' },
);
