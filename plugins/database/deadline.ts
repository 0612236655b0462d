/** An operation exceeded its deadline. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';
}

/**
 * Waits for `operation` up to a deadline. A result that arrived in time during a pause of this process still counts: timers run before
 * sockets are read, so the error waits until they have been.
 *
 * @param deadlineMs how long to wait, in milliseconds
 * @throws DeadlineError after the deadline; the operation continues, and its result is ignored
 */
export async function withDeadline<T>(operation: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const onDeadline = () => reject(new DeadlineError(`no answer within ${deadlineMs} ms`));
    timer = setTimeout(setImmediate, deadlineMs, onDeadline);
  });
  try {
    return await Promise.race([operation, late]);
  } finally {
    clearTimeout(timer);
  }
}
