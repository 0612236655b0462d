import type { FastifyBaseLogger } from 'fastify';
import { OutageLog } from '../database/outage-log.js';
import type { RecordBuffer } from './record-buffer.js';
import type { Spool } from './spool/index.js';

const chunkRows = 500;

/** Moves waiting records from the buffer to the spool, one move at a time. */
export class SpoolMover {
  private readonly buffer: RecordBuffer;
  private readonly spool: Spool;
  private readonly outage: OutageLog;
  private readonly onSpooled: (records: number) => void;
  private running: Promise<void> | undefined;

  /** @param onSpooled called with the number of records of each chunk after it is written to the spool */
  constructor(buffer: RecordBuffer, spool: Spool, log: FastifyBaseLogger, onSpooled: (records: number) => void) {
    this.buffer = buffer;
    this.spool = spool;
    this.outage = new OutageLog(log, 'error');
    this.onSpooled = onSpooled;
  }

  /** The running move; undefined when none is running. */
  get current(): Promise<void> | undefined {
    return this.running;
  }

  /** Moves all waiting records. Records that cannot be written stay in memory. While a move runs, waits for that one. */
  move(): Promise<void> {
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Called when no record waits for the spool. */
  endOutage(): void {
    this.outage.ended('request log: no record waits for the spool any longer');
  }

  private async run() {
    this.buffer.startSpooling(chunkRows);
    let hasWritten = false;
    try {
      for (let chunk = this.buffer.nextChunk; chunk; chunk = this.buffer.nextChunk) {
        await this.spool.append(chunk.records, chunk.wasSent);
        hasWritten = true;
        this.buffer.finishChunk();
        this.onSpooled(chunk.records.length);
      }
      await this.spool.sync();
      if (hasWritten) this.outage.ended('request log: the spool can be written again');
    } catch (error) {
      this.buffer.returnSpooling();
      this.outage.failed('request log: the spool cannot be written, records wait in memory', error);
    }
  }
}
