import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { callingKeyId } from '../api-keys/index.js';
import { DayKeeper } from './day-keeper.js';
import { clientClosedRequest, type LoggedAs, nameAs, pathOf, type RequestRecord, recordOf } from './record.js';
import { Spool, type SpoolOptions } from './spool/index.js';
import { RequestLogWriter, type WriterCounts, type WriterOptions } from './writer.js';

declare module 'fastify' {
  interface FastifyInstance {
    requestLog: RequestLog;
  }
}

export interface RequestLog {
  /** What has become of the records so far. */
  readonly counts: WriterCounts;
  /** How large the spool is on disk. */
  readonly spoolBytes: number;
  /** How large it may become. */
  readonly spoolMaxBytes: number;
  /** Sends all that waits now; resolves when it is written or, while the database is away, in the spool. */
  flush(): Promise<void>;
  /** Says what a request stands for, where its own method and path say nothing. */
  nameAs(request: FastifyRequest, name: LoggedAs): void;
  /** Told of every batch that the database has confirmed. */
  onBatch(listener: (records: readonly RequestRecord[], seconds: number) => void): void;
  /** Told of every record once, whether or not the database takes it. */
  onRecords(listener: (records: readonly RequestRecord[]) => void): void;
  /** Tells of the records so far, rather than with their batch. */
  tellRecords(): void;
  /** Logs a request that Fastify answers before its hooks run, such as one with a malformed path. */
  observe(request: FastifyRequest, reply: FastifyReply): void;
}

export interface RequestLogOptions extends WriterOptions {
  /** Paths that are not logged. */
  exclude: readonly string[];
  /** For how many days rows are kept; 0: for ever. */
  retentionDays: number;
  /** For how many days statistics by hour and day are kept; 0: for ever. */
  statsRetentionDays: number;
  spool: SpoolOptions;
}

const unanswered = Symbol('requests without an answer yet');
type TrackedSocket = Socket & { [unanswered]?: Set<FastifyReply> };

/** Every request becomes a row of `request_logs`; nothing of that delays or fails an answer. */
export default fp<RequestLogOptions>(
  async (app, { exclude, retentionDays, statsRetentionDays, spool: spoolOptions, ...options }) => {
    const spool = new Spool(spoolOptions, app.log);
    const writer = new RequestLogWriter(app.database, spool, options, app.log);
    const days = new DayKeeper(app.database, { retentionDays, statsRetentionDays }, app.log);
    const excluded = new Set(exclude);

    app.decorate('requestLog', {
      get counts() {
        return writer.counts;
      },
      get spoolBytes() {
        return spool.bytes;
      },
      spoolMaxBytes: spoolOptions.maxBytes,
      flush: () => writer.flush(),
      nameAs,
      onBatch: (listener) => writer.onBatch.add(listener),
      onRecords: (listener) => writer.onRecords.add(listener),
      tellRecords: () => writer.tellRecords(),
      observe(request, reply) {
        track(request, reply);
        reply.raw.once('finish', () => settle(request, reply, reply.statusCode));
      },
    });

    app.addHook('onRequest', (request, reply, done) => {
      track(request, reply);
      done();
    });
    app.addHook('onResponse', (request, reply, done) => {
      settle(request, reply, reply.statusCode);
      done();
    });
    app.addHook('onReady', async () => {
      // A database that never comes rejects when the service closes.
      app.database.ready.then(() => days.start()).catch(() => {});
      void writer.start();
    });
    app.addHook('onClose', async () => {
      await writer.close();
      await days.stop();
    });

    // `onResponse` does not run for a request whose client went away, and `onRequestAbort` only while its body is
    // unread. The socket knows of both, and of requests that are queued behind another.
    function track(request: FastifyRequest, reply: FastifyReply) {
      const socket = request.raw.socket as TrackedSocket;
      let replies = socket[unanswered];
      if (!replies) {
        replies = new Set();
        socket[unanswered] = replies;
        // Asked once while it is open, the socket still knows the address after it has closed.
        void socket.remoteAddress;
        socket.once('close', () => {
          for (const lost of replies as Set<FastifyReply>) settle(lost.request, lost, clientClosedRequest);
        });
      }
      replies.add(reply);
    }

    function settle(request: FastifyRequest, reply: FastifyReply, statusCode: number) {
      const first = (request.raw.socket as TrackedSocket)[unanswered]?.delete(reply);
      const path = pathOf(request.url);
      if (first && !excluded.has(path)) writer.push(recordOf(request, reply, path, statusCode, callingKeyId(request)));
    }
  },
  { name: 'request-log', dependencies: ['database', 'api-keys'] },
);
