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

/**
 * Whether an error of Prisma or `pg` says that the database is away rather than that the query was wrong. A refused
 * connection alone does not: it may be to something else that a route talks to.
 */
export function isUnavailable(error: unknown): boolean {
  const { code, message, meta } = Object(error) as {
    code?: unknown;
    message?: unknown;
    meta?: { driverAdapterError?: { cause?: { originalCode?: unknown } } };
  };
  const sqlState = meta?.driverAdapterError?.cause?.originalCode ?? code;
  return prismaCodes.has(String(code)) || sqlStates.test(String(sqlState)) || messages.test(String(message));
}
