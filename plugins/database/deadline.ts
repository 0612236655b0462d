/** An operation took longer than it was given. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';
}

/**
 * Waits for `operation`, but not for ever: a pool waits a minute for a connection, which no probe or request can.
 *
 * @param deadlineMs how long to wait, in milliseconds
 * @throws DeadlineError when it is over; the operation itself goes on, its result is ignored
 */
export async function withDeadline<T>(operation: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`no answer within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([operation, late]);
  } finally {
    clearTimeout(timer);
  }
}
