import type { FastifyBaseLogger } from 'fastify';
import { OutageLog } from '../database/outage-log.js';
import { type Batch, sealed } from './batch.js';
import type { RecordBuffer } from './record-buffer.js';
import type { Spool } from './spool/index.js';

type SettleCharges = (batch: Batch) => Promise<void>;

const chunkRows = 500;

/** Moves waiting records from the buffer to the spool, one move at a time. */
export class SpoolMover {
  private readonly buffer: RecordBuffer;
  private readonly spool: Spool;
  private readonly outage: OutageLog;
  private readonly onSpooled: (records: number) => void;
  private readonly settleCharges: SettleCharges | undefined;
  private running: Promise<void> | undefined;

  /**
   * @param onSpooled called with the number of records of each chunk after it is written to the spool
   * @param settleCharges called with each chunk that has charges, after it is written to the spool; undefined: charges wait with their rows
   */
  constructor(
    buffer: RecordBuffer,
    spool: Spool,
    log: FastifyBaseLogger,
    onSpooled: (records: number) => void,
    settleCharges: SettleCharges | undefined,
  ) {
    this.buffer = buffer;
    this.spool = spool;
    this.outage = new OutageLog(log, 'error');
    this.onSpooled = onSpooled;
    this.settleCharges = settleCharges;
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
      for (let next = this.buffer.nextChunk; next; next = this.buffer.nextChunk) {
        const { records, wasSent } = next;
        const settlesCharges = this.settleCharges !== undefined && records.some(({ charges }) => charges.length > 0);
        // Charges are settled once, by the id of their batch, so the spool must not join it with others.
        await this.spool.append(records, wasSent || settlesCharges);
        hasWritten = true;
        this.buffer.finishChunk();
        this.onSpooled(records.length);
        if (settlesCharges) void this.settleCharges?.(sealed(records));
      }
      await this.spool.sync();
      if (hasWritten) this.outage.ended('request log: the spool can be written again');
    } catch (error) {
      this.buffer.returnSpooling();
      this.outage.failed('request log: the spool cannot be written, records wait in memory', error);
    }
  }
}
