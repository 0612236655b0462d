import type { FastifyBaseLogger } from 'fastify';
import { OutageLog } from '../database/outage-log.js';
import { type Batch, sealed } from './batch.js';
import type { Chunk, RecordBuffer } from './record-buffer.js';
import type { Spool } from './spool/index.js';

/** Settles the charges of records. Returns whether they are settled; undefined: it was not tried. Never rejects. */
type SettleCharges = (batch: Batch) => Promise<boolean> | undefined;

const chunkRows = 500;

/** Moves waiting records from the buffer to the spool, one move at a time. */
export class SpoolMover {
  private readonly buffer: RecordBuffer;
  private readonly spool: Spool;
  private readonly outage: OutageLog;
  private readonly onSpooled: (records: number) => void;
  private readonly settleCharges: SettleCharges;
  private running: Promise<void> | undefined;

  /**
   * @param onSpooled called with the number of records of each chunk after it is written to the spool
   * @param settleCharges called with records before they are spooled
   */
  constructor(
    buffer: RecordBuffer,
    spool: Spool,
    log: FastifyBaseLogger,
    onSpooled: (records: number) => void,
    settleCharges: SettleCharges,
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
        const chunk = await this.settled(next);
        this.buffer.replaceChunk(chunk);
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

  /** The chunk without its charges if they are settled. Otherwise it keeps them, and its identity, by which they are settled once. */
  private async settled(chunk: Chunk): Promise<Chunk> {
    const { records } = chunk;
    if (!records.some(({ charges }) => charges.length > 0)) return chunk;
    const areSettled = await this.settleCharges(sealed(records));
    if (areSettled === undefined) return chunk;
    if (!areSettled) return { records, wasSent: true };
    return { ...chunk, records: records.map((record) => ({ ...record, charges: [] })) };
  }
}
