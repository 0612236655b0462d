import { connect } from 'node:net';

/**
 * Sends bytes as they are.
 *
 * @returns all that came back until the other side ended the connection, or was silent for a while
 */
export function exchange(
  port: number,
  bytes: string,
  silenceMs = 1_000,
): Promise<{ answer: string; isEnded: boolean }> {
  return new Promise((resolve) => {
    let answer = '';
    let isEnded = true;
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
    socket.setEncoding('latin1').setTimeout(silenceMs, () => {
      isEnded = false;
      socket.destroy();
    });
    socket.on('data', (chunk) => (answer += chunk));
    // A reset is an end.
    socket.on('error', () => {});
    socket.on('close', () => resolve({ answer, isEnded }));
  });
}

/** The statuses of the answers in what came back. */
export function statusesOf(answer: string): number[] {
  return [...answer.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status));
}
