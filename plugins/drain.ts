import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    drain: Drain;
  }
}

export interface Drain {
  /** Whether the service shuts down: it is unready, and responses close their connections. */
  readonly isDraining: boolean;
  /**
   * Shuts down gracefully: becomes unready, serves for `delayMs` so that load balancers notice, then closes.
   */
  stop(): Promise<void>;
}

export interface DrainOptions {
  /** How long to serve after becoming unready, in milliseconds. */
  delayMs: number;
  /** How long running requests may take after that, in milliseconds. Then their connections are closed. */
  requestsDeadlineMs: number;
}

const closeIdleIntervalMs = 100;

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
        // Close each connection after its response, so that the client's next request reaches another instance.
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

    // Node.js closes only connections that are idle now. One that becomes idle later would stay open for `keepAliveTimeout`, over a
    // minute; one that has sent no complete request, without limit.
    app.addHook('preClose', (done) => {
      isDraining = true;
      const reaper = setInterval(() => {
        app.server.closeIdleConnections();
        for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
      }, closeIdleIntervalMs);
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
