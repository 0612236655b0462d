/** The first bucket ends here, in milliseconds; each one after it ends so many times later. */
const firstEndMs = 0.01;
const growth = 1.2;
/** Buckets 0 to 127: the last one but one ends after a day. */
const lastBucket = 127;
const logGrowth = Math.log(growth);

/** A number of requests for each bucket that has any. */
export type Histogram = ReadonlyMap<number, number>;

/** @param durationMs with fractions */
export function bucketOf(durationMs: number): number {
  if (durationMs <= firstEndMs) return 0;
  return Math.min(lastBucket, Math.ceil(Math.log(durationMs / firstEndMs) / logGrowth));
}

/**
 * The time that a share of the requests took at the most, to within a bucket, which is 20 % wide.
 *
 * @param share such as 0.95
 * @returns milliseconds; null where there were no requests
 */
export function quantileOf(histogram: Histogram, share: number): number | null {
  const total = [...histogram.values()].reduce((sum, n) => sum + n, 0);
  if (total === 0) return null;
  let left = share * total;
  for (const [bucket, n] of [...histogram].sort(([a], [b]) => a - b)) {
    if (left <= n) return firstEndMs * growth ** (bucket - 1 + left / n);
    left -= n;
  }
  return firstEndMs * growth ** Math.max(...histogram.keys());
}
