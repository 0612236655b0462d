import type { FastifyInstance } from 'fastify';
import { Histogram } from 'prom-client';
import { registerCounters, registerGauge, registerGauges } from './register.js';

const flushBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

export function measureRequestLog({ metrics, requestLog }: FastifyInstance) {
  registerCounters(
    metrics,
    {
      name: 'musicez_request_log_records_total',
      help: 'Records of requests, by fate: accepted = written + dropped + buffered + spooled',
      label: 'fate',
    },
    () => {
      const { accepted, written, dropped } = requestLog.counts;
      return { accepted, written, dropped };
    },
  );
  registerGauges(
    metrics,
    {
      name: 'musicez_request_log_store_writable',
      help: 'Whether batches can be written: 1 or 0, for the store of the request log',
      label: 'store',
    },
    () => ({ [requestLog.store]: Number(requestLog.isWritable) }),
  );
  registerGauge(
    metrics,
    {
      name: 'musicez_request_log_buffered_records',
      help: 'Records in memory, including the batch that is being sent',
    },
    () => requestLog.counts.buffered,
  );
  registerGauge(
    metrics,
    {
      name: 'musicez_request_log_spooled_records',
      help: 'Records on disk that the database has not committed',
    },
    () => requestLog.counts.spooled,
  );
  registerGauge(
    metrics,
    { name: 'musicez_request_log_spool_bytes', help: 'Size of the spool on disk' },
    () => requestLog.spoolBytes,
  );
  registerGauge(
    metrics,
    {
      name: 'musicez_request_log_spool_writable',
      help: 'Whether DATA_DIR could be written at the start: 1 or 0; NaN when the spool is disabled',
    },
    () => (requestLog.isSpoolWritable === undefined ? Number.NaN : Number(requestLog.isSpoolWritable)),
  );
  registerGauge(
    metrics,
    { name: 'musicez_request_log_spool_max_bytes', help: 'Largest size of the spool' },
    () => requestLog.spoolMaxBytes,
  );
  const flushes = new Histogram({
    name: 'musicez_request_log_flush_duration_seconds',
    help: 'Duration of a batch of records in the database',
    buckets: flushBuckets,
    registers: [metrics],
  });
  requestLog.onBatch((_records, seconds) => flushes.observe(seconds));
}
