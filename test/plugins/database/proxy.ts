import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import t from 'tap';

/** A proxy in front of a real PostgreSQL that can fail, freeze, delay and redirect connections. */
export class BreakableDatabase {
  private target: URL;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;
  private delayMs = 0;

  constructor(databaseUrl: string) {
    this.target = new URL(databaseUrl);
    t.teardown(() => this.break());
  }

  /** The URL of the proxy for the service. The port stays the same after the first call of `listen`. */
  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  /** Starts to accept connections, also again after `break`. */
  async listen(): Promise<void> {
    this.server = createServer((socket) => {
      const upstream = connect(Number(this.target.port || 5432), this.target.hostname);
      for (const [one, other] of [
        [socket, upstream],
        [upstream, socket],
      ] as const) {
        this.sockets.add(one);
        one
          .pipe(this.createDelay())
          .pipe(other)
          .on('error', () => {});
        one.on('error', () => {}).on('close', () => other.destroy());
      }
    });
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Stops the data on existing connections, as after a failover. New connections work. */
  freeze(): void {
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  /** Sends new connections to another server, as after a DNS change. */
  redirect(databaseUrl: string): void {
    this.target = new URL(databaseUrl);
  }

  /** Delays all data, in milliseconds. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  private createDelay() {
    return new Transform({
      transform: (chunk, _encoding, done) => {
        if (this.delayMs > 0) setTimeout(done, this.delayMs, null, chunk).unref();
        else done(null, chunk);
      },
    });
  }

  /** Resets all connections and refuses new ones. */
  async break(): Promise<void> {
    if (!this.server?.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.resetAndDestroy();
    this.sockets.clear();
    await closed;
  }
}
