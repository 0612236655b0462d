import { connect, type Socket } from 'node:net';
import type pg from 'pg';

const cancelRequestCode = 80_877_102;
const timeoutMs = 2_000;

/** The data that the server sends to each connection for cancel requests. */
type CancelKey = { processID?: number | null; secretKey?: number | null };

/**
 * Asks the server to cancel the query of a connection that is about to be closed. Behind a pooler the server does not have the
 * service's timeouts, so a query that waits for a lock would keep its session until the lock is released. A pooler finds the
 * query by the connection, which must stay open until the promise resolves. It never rejects: PostgreSQL reports no failure.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export async function cancelQuery(client: pg.Client): Promise<void> {
  const { host, port } = client;
  // The same server as the connection: a name may have several addresses.
  const { remoteAddress = host } = client.connection.stream as Socket;
  const { processID, secretKey } = client as CancelKey;
  if (processID == null || secretKey == null) return;
  const request = Buffer.alloc(16);
  [request.length, cancelRequestCode, processID, secretKey].forEach((value, i) => {
    request.writeInt32BE(value, i * 4);
  });
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, remoteAddress);
  socket.on('error', () => {});
  socket.setTimeout(timeoutMs, () => socket.destroy());
  socket.write(request);
  // The server closes it when it has cancelled the query.
  await new Promise((resolve) => socket.resume().once('close', resolve));
}
