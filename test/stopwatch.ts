const tickMs = 10;

/**
 * Measures time by the ticks of a timer, for upper bounds: while a busy machine does not run this process, no time passes.
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
