import { connect } from 'node:net';

/**
 * Sends raw bytes.
 *
 * @returns all data until the peer closed the connection or sent nothing for `silenceMs`
 */
export function exchange(
  port: number,
  bytes: string,
  silenceMs = 1_000,
): Promise<{ response: string; isEnded: boolean }> {
  return new Promise((resolve) => {
    let response = '';
    let isEnded = true;
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
    socket.setEncoding('latin1').setTimeout(silenceMs, () => {
      isEnded = false;
      socket.destroy();
    });
    socket.on('data', (chunk) => (response += chunk));
    // A reset counts as a close.
    socket.on('error', () => {});
    socket.on('close', () => resolve({ response, isEnded }));
  });
}

/** Returns the statuses of the HTTP responses in the received data. */
export function statusesOf(response: string): number[] {
  return [...response.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status));
}
