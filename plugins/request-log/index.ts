import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { keyCheckOf } from '../api-keys/key-check.js';
import { pendingCheckOf } from '../api-keys/pending-check.js';
import { clock } from '../clock.js';
import { markSent, trackReply } from './pending-replies.js';
import { type LoggedFields, overrideLogged, pathOf, type RequestRecord, recordOf } from './record.js';
import { Spool, type SpoolOptions } from './spool/index.js';
import type { RequestLogReader, RequestLogStore } from './store.js';
import { openStore } from './stores/index.js';
import { PartitionMaintenance } from './stores/postgres/partition-maintenance.js';
import { RequestLogWriter, type WriterCounts, type WriterOptions } from './writer.js';

declare module 'fastify' {
  interface FastifyInstance {
    requestLog: RequestLog;
  }
}

export interface RequestLog {
  /** Reads rows and statistics. */
  readonly reader: RequestLogReader;
  /** Where rows and statistics are. */
  readonly store: RequestLogStore['kind'];
  /** Counts of all records, by where they are. */
  readonly counts: WriterCounts;
  /** Whether batches can be written. Otherwise records go to the spool. */
  readonly isWritable: boolean;
  /** The size of the spool on disk, in bytes. */
  readonly spoolBytes: number;
  /** Whether records survive an outage of the database; undefined until the spool was probed, or when it is disabled. */
  readonly isSpoolWritable: boolean | undefined;
  /** The largest size of the spool, in bytes. */
  readonly spoolMaxBytes: number;
  /** The start of the statistics by minute. */
  readonly minutesSince: Date;
  /** Resolves when all records so far are committed or, while the database is down, in the spool. */
  flush(): Promise<void>;
  /** Sets the method, path and route to log for a request, such as those of the original request that a proxy received. */
  overrideLogged(request: FastifyRequest, fields: LoggedFields): void;
  /** Adds a callback for each committed batch, with its duration in seconds. */
  onBatch(listener: (records: readonly RequestRecord[], seconds: number) => void): void;
  /** Adds a callback for each record, whether or not it reaches the database. */
  onRecord(listener: (records: readonly RequestRecord[]) => void): void;
  /** Calls the callbacks with the records so far, without waiting for their batch. */
  emitRecords(): void;
  /** Logs a request that Fastify answers before its hooks run, such as one with a malformed path. */
  observe(reply: FastifyReply): void;
}

export interface RequestLogOptions extends WriterOptions {
  /** Paths that are not logged. */
  exclude: readonly string[];
  /** How many days rows are kept; 0: without limit. */
  retentionDays: number;
  /** How many days statistics by hour and day are kept; 0: without limit. */
  statsRetentionDays: number;
  /** How many days events of keys are kept; 0: without limit. */
  eventsRetentionDays: number;
  spool: SpoolOptions;
  /** `clickhouse://user:password@host:8123/database`; undefined: PostgreSQL. */
  clickHouseUrl: string | undefined;
}

/** Logs each request as a row of `request_logs`. Never delays or fails a response. */
export default fp<RequestLogOptions>(
  async (app, { exclude, spool: spoolOptions, flushIntervalMs, bufferRows, clickHouseUrl, ...retention }) => {
    const spool = new Spool(spoolOptions, app.log);
    const maintenance = new PartitionMaintenance(app.database, retention, app.log);
    const store = await openStore(app, clickHouseUrl, retention);
    const writer = new RequestLogWriter(
      store,
      spool,
      { flushIntervalMs, bufferRows, traceBatch: (records, store) => app.tracing.traceBatch(records, store) },
      app.log,
    );
    app.limits.quotas.setFlushSoon(() => writer.sendSoon());
    const excluded = new Set(exclude);
    // Requests whose client disconnected during the check of their key.
    const checking = new Set<Promise<void>>();

    app.decorate('requestLog', {
      reader: store,
      store: store.kind,
      get counts() {
        return writer.counts;
      },
      get isWritable() {
        return writer.isStoreWritable;
      },
      get spoolBytes() {
        return spool.bytes;
      },
      get isSpoolWritable() {
        return spool.isWritable;
      },
      spoolMaxBytes: spoolOptions.maxBytes,
      get minutesSince() {
        return store.minutesSince(new Date(clock.now()));
      },
      flush: () => writer.flush(),
      overrideLogged,
      onBatch: (listener) => writer.onBatch.add(listener),
      onRecord: (listener) => writer.onRecord.add(listener),
      emitRecords: () => writer.emitRecords(),
      observe(reply) {
        trackReply(reply, settle);
        reply.raw.once('finish', () => settle(reply, reply.statusCode));
      },
    });

    app.addHook('onRequest', (_request, reply, done) => {
      trackReply(reply, settle);
      done();
    });
    app.addHook('onResponse', (_request, reply, done) => {
      settle(reply, reply.statusCode);
      done();
    });
    app.addHook('onReady', async () => {
      // Rejects when the service closes before the database was ready.
      app.database.ready.then(() => maintenance.start()).catch(() => {});
      void writer.start();
    });
    app.addHook('onClose', async () => {
      await Promise.allSettled(checking);
      await writer.close();
      await Promise.all([maintenance.stop(), store.close()]);
    });

    function settle(reply: FastifyReply, statusCode: number) {
      if (!markSent(reply)) return;
      const check = pendingCheckOf(reply.request);
      const durationMs = reply.elapsedTime;
      if (check === undefined) return write(reply, statusCode, durationMs);
      const written = check.catch(() => {}).then(() => write(reply, statusCode, durationMs));
      checking.add(written);
      void written.then(() => checking.delete(written));
    }

    function write(reply: FastifyReply, statusCode: number, durationMs: number) {
      const { request } = reply;
      const path = pathOf(request.url);
      if (excluded.has(path)) return;
      writer.push(recordOf(request, path, statusCode, durationMs, keyCheckOf(request)));
    }
  },
  { name: 'request-log', dependencies: ['trace-context', 'tracing', 'database', 'prisma', 'limits', 'api-keys'] },
);
