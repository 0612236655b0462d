const tickMs = 10;

/**
 * Counts the ticks of a timer, for assertions with an upper bound. Time in which the system does not run this process is not counted,
 * nor is time in which its event loop is blocked: the result is a lower bound of the elapsed time.
 *
 * @returns a function that stops and returns the time in milliseconds
 */
export function startStopwatch(): () => number {
  let ticks = 0;
  const timer = setInterval(() => ticks++, tickMs);
  return () => {
    clearInterval(timer);
    return ticks * tickMs;
  };
}
