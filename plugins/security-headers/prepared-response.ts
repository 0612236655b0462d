import { type IncomingMessage, ServerResponse } from 'node:http';

type Headers = Readonly<Record<string, string>>;

type StoreHeader = (this: ServerResponse, statusLine: string, headers?: Record<string, unknown>) => void;

// In every Node.js since the first, but not in its types. Called once an answer, with the headers that the route has set.
const { _storeHeader: storeHeader } = ServerResponse.prototype as unknown as { _storeHeader: StoreHeader };

/**
 * An answer that can be given headers as text, written out once and for all. Node.js checks and writes each header of
 * each answer anew, which for Helmet's twelve costs a third of all that an empty Fastify route does.
 */
export class PreparedResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  prepared: PreparedHeaders | undefined;
  private lines = '';

  /** Adds header fields, each with its line's end, that nobody else sets and that need no checking. */
  addLines(lines: string) {
    this.lines += lines;
  }

  _storeHeader(statusLine: string, headers?: Record<string, unknown>) {
    const prepared = this.prepared ? this.prepared.linesBeside(headers) : '';
    storeHeader.call(this, statusLine + prepared + this.lines, headers);
  }
}

/** Headers and the text that they are in an answer. */
export class PreparedHeaders {
  readonly headers: Headers;
  private readonly names: Set<string>;
  private readonly lines: string;

  constructor(headers: Headers) {
    this.headers = headers;
    this.names = new Set(Object.keys(headers));
    this.lines = linesOf(Object.entries(headers));
  }

  /** The lines, without those that the route has said otherwise. */
  linesBeside(given: Record<string, unknown> | undefined): string {
    // A route sets three or four: looking those up among ours costs a tenth of looking ours up among those.
    for (const name in given) {
      if (this.names.has(name)) return linesOf(Object.entries(this.headers).filter(([ours]) => !(ours in given)));
    }
    return this.lines;
  }
}

function linesOf(headers: [name: string, value: string][]): string {
  return headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
