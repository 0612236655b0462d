import { type IncomingMessage, ServerResponse } from 'node:http';

type Headers = Readonly<Record<string, string>>;

type StoreHeader = (this: ServerResponse, statusLine: string, headers?: Record<string, unknown>) => void;

// A private method of all Node.js versions. Called once for each response, with the headers that the route has set.
const { _storeHeader: storeHeader } = ServerResponse.prototype as unknown as { _storeHeader: StoreHeader };

/**
 * A response that accepts headers as prepared text. Node.js validates and writes each header of each response, which for Helmet's
 * twelve headers costs a third of an empty Fastify route.
 */
export class PreparedResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  prepared: PreparedHeaders | undefined;
  private lines = '';
  private requestIdLine = '';

  /** Adds header lines, each with its line ending. They must be valid, and set by nothing else. */
  addLines(lines: string) {
    this.lines += lines;
  }

  setRequestId(id: string) {
    this.requestIdLine = `x-request-id: ${id}\r\n`;
  }

  _storeHeader(statusLine: string, headers?: Record<string, unknown>) {
    const prepared = this.prepared ? this.prepared.linesExcept(headers) : '';
    storeHeader.call(this, statusLine + prepared + this.requestIdLine + this.lines, headers);
  }
}

/** Headers, and their text in a response. */
export class PreparedHeaders {
  readonly headers: Headers;
  private readonly names: Set<string>;
  private readonly lines: string;

  constructor(headers: Headers) {
    this.headers = headers;
    this.names = new Set(Object.keys(headers));
    this.lines = linesOf(Object.entries(headers));
  }

  /** The lines, without those that the route has overridden. */
  linesExcept(routeHeaders: Record<string, unknown> | undefined): string {
    // A route sets three or four headers: looking them up here costs a tenth of the reverse.
    for (const name in routeHeaders) {
      if (this.names.has(name))
        return linesOf(Object.entries(this.headers).filter(([header]) => !(header in routeHeaders)));
    }
    return this.lines;
  }
}

function linesOf(headers: [name: string, value: string][]): string {
  return headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
