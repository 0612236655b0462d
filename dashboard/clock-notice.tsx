import { duration } from './parts/numbers.js';
import { clockDifferenceMs } from './server-clock.js';

/** Mentions that the clock of this computer differs. Times and ranges follow the server's clock. */
export function ClockNotice() {
  const differenceMs = clockDifferenceMs.value;
  if (differenceMs === 0) return null;
  return (
    <p class="banner" role="status">
      The clock of this computer is {duration(Math.abs(differenceMs))} {differenceMs > 0 ? 'behind' : 'ahead of'} the
      server’s. All times are the server’s.
    </p>
  );
}
