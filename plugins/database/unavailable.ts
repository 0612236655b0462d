/**
 * Codes of Prisma: login rejected, not reachable, timed out, no such database, access denied, TLS failed, closed, pool exhausted,
 * transaction not started or ended in time, too many connections.
 *
 * @see https://www.prisma.io/docs/orm/reference/error-reference
 */
const prismaCodes = new Set([
  'P1000',
  'P1001',
  'P1002',
  'P1003',
  'P1008',
  'P1010',
  'P1011',
  'P1017',
  'P2024',
  'P2028',
  'P2037',
]);

/**
 * SQLSTATEs of PostgreSQL: connection exception, shutting down or starting, no resources (disk, memory, connections), read-only, login
 * rejected, no such database, wrong state, lock not available, query cancelled, privilege revoked. The next attempt can succeed.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const sqlStates = /^(08...|57P0.|53...|25006|28P01|28000|3D000|55000|55P03|57014|42501)$/;

// pg and pg-pool report these without a code, and Prisma passes them on.
const messages =
  /Connection terminated|terminating connection|timeout exceeded when trying to connect|Query read timeout|timeout expired|Client was closed|is no longer primary|Client has encountered a connection error/;

/** Kinds that Prisma's adapter reports for raw queries, which have no code. */
const adapterKinds = new Set([
  ...['ConnectionClosed', 'DatabaseNotReachable', 'SocketTimeout', 'TlsConnectionError'],
  ...['TooManyConnections', 'AuthenticationFailed', 'DatabaseAccessDenied', 'DatabaseDoesNotExist'],
]);

/** Codes of Node.js that Prisma passes on, such as ENOENT of a Unix socket, or EPIPE. */
const socketCode = /^E[A-Z]+/;

const socketErrors = new WeakSet<object>();

/** Marks an error as one of a database connection. */
export function markSocketError(error: object): void {
  socketErrors.add(error);
}

interface ErrorFields {
  name?: unknown;
  code?: unknown;
  message?: unknown;
  meta?: { driverAdapterError?: { cause?: { originalCode?: unknown; kind?: unknown } } };
}

/**
 * Whether an error of Prisma or `pg` means that the database is not available. Other connection errors do not count: a route may
 * connect to other servers.
 */
export function isUnavailable(error: unknown): boolean {
  const { name, code, message, meta }: ErrorFields = Object(error);
  const { originalCode = code, kind } = meta?.driverAdapterError?.cause ?? {};
  return (
    socketErrors.has(Object(error)) ||
    prismaCodes.has(String(code)) ||
    adapterKinds.has(String(kind)) ||
    (name === 'PrismaClientKnownRequestError' && socketCode.test(String(code))) ||
    sqlStates.test(String(originalCode)) ||
    messages.test(String(message))
  );
}

/** Whether an error means that the server is read-only: a standby, or a demoted primary. */
export function isReadOnlyError(error: unknown): boolean {
  return (error as { code?: unknown }).code === '25006';
}
