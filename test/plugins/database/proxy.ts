import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import t from 'tap';

/** A PostgreSQL that can be taken away: connections to it go on to a real one, unless the test says otherwise. */
export class BreakableDatabase {
  private readonly target: URL;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;
  private delayMs = 0;

  constructor(databaseUrl: string) {
    this.target = new URL(databaseUrl);
    t.teardown(() => this.break());
  }

  /** The URL by which the service reaches it; a port is reserved for it from the first start on. */
  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  /** Accepts connections. */
  async mend(): Promise<void> {
    this.server = createServer((socket) => {
      const onward = connect(Number(this.target.port || 5432), this.target.hostname);
      for (const [one, other] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        this.sockets.add(one);
        one
          .pipe(this.slowly())
          .pipe(other)
          .on('error', () => {});
        one.on('error', () => {}).on('close', () => other.destroy());
      }
    });
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Leaves the connections that there are without a word, as after a failover; new ones work. */
  freeze(): void {
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  /** From now on whatever passes takes this much longer, in milliseconds. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  private slowly() {
    return new Transform({
      transform: (chunk, _encoding, done) => {
        if (this.delayMs > 0) setTimeout(done, this.delayMs, null, chunk);
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
