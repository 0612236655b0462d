import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { callingKeyId } from '../api-keys/index.js';
import { DayKeeper } from './day-keeper.js';
import { type LoggedAs, nameAs, pathOf, type RequestRecord, recordOf } from './record.js';
import { Spool, type SpoolOptions } from './spool/index.js';
import { expectAnswer, noteAnswer } from './unanswered.js';
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
  /** From when on there are statistics by the minute. */
  readonly minutesSince: Date;
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
  observe(reply: FastifyReply): void;
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
      get minutesSince() {
        return days.minutesSince(new Date());
      },
      flush: () => writer.flush(),
      nameAs,
      onBatch: (listener) => writer.onBatch.add(listener),
      onRecords: (listener) => writer.onRecords.add(listener),
      tellRecords: () => writer.tellRecords(),
      observe(reply) {
        expectAnswer(reply, settle);
        reply.raw.once('finish', () => settle(reply, reply.statusCode));
      },
    });

    app.addHook('onRequest', (_request, reply, done) => {
      expectAnswer(reply, settle);
      done();
    });
    app.addHook('onResponse', (_request, reply, done) => {
      settle(reply, reply.statusCode);
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

    function settle(reply: FastifyReply, statusCode: number) {
      const { request } = reply;
      const isFirst = noteAnswer(reply);
      const path = pathOf(request.url);
      if (isFirst && !excluded.has(path)) {
        writer.push(recordOf(request, reply, path, statusCode, callingKeyId(request)));
      }
    }
  },
  { name: 'request-log', dependencies: ['database', 'api-keys'] },
);
