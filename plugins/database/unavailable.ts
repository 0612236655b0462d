/**
 * Prisma: not reachable, timed out, closed, pool exhausted, transaction not begun or not ended in time, too many
 * connections.
 *
 * @see https://www.prisma.io/docs/orm/reference/error-reference
 */
const prismaCodes = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2037']);

/** PostgreSQL: connection exception, shutting down or starting, too many connections. */
const sqlStates = /^(08...|57P0.|53300)$/;

// pg and pg-pool give these no code, and Prisma passes them on as they are.
const messages =
  /Connection terminated|terminating connection|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error/;

/** Prisma's adapter, of raw queries, whose errors have no code of their own for it. */
const adapterKinds = new Set(['ConnectionClosed', 'DatabaseNotReachable', 'SocketTimeout']);

/** Node.js' own, such as ENOENT of a Unix socket or EPIPE, which Prisma takes over as its code. */
const socketCode = /^E[A-Z]+/;

const ofSocket = new WeakSet<object>();

/** Notes of an error that a connection to the database has met it; by the error alone nobody could tell. */
export function noteSocketError(error: object): void {
  ofSocket.add(error);
}

interface Particulars {
  name?: unknown;
  code?: unknown;
  message?: unknown;
  meta?: { driverAdapterError?: { cause?: { originalCode?: unknown; kind?: unknown } } };
}

/**
 * Whether an error of Prisma or `pg` says that the database is away rather than that the query was wrong. A refused
 * connection alone does not: it may be to something else that a route talks to.
 */
export function isUnavailable(error: unknown): boolean {
  const { name, code, message, meta }: Particulars = Object(error);
  const { originalCode = code, kind } = meta?.driverAdapterError?.cause ?? {};
  return (
    ofSocket.has(Object(error)) ||
    prismaCodes.has(String(code)) ||
    adapterKinds.has(String(kind)) ||
    (name === 'PrismaClientKnownRequestError' && socketCode.test(String(code))) ||
    sqlStates.test(String(originalCode)) ||
    messages.test(String(message))
  );
}
