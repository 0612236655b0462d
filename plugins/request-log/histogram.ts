/** The upper bound of the first bucket in milliseconds, and the factor between the bounds of buckets. */
const firstEndMs = 0.01;
const growth = 1.2;
/** Buckets 0 to 127. Bucket 126 ends at a day. */
const lastBucket = 127;
const logGrowth = Math.log(growth);

/** The number of requests in each bucket that has any. */
export type Histogram = ReadonlyMap<number, number>;

/** @param durationMs not rounded */
export function bucketOf(durationMs: number): number {
  if (durationMs <= firstEndMs) return 0;
  return Math.min(lastBucket, Math.ceil(Math.log(durationMs / firstEndMs) / logGrowth));
}

/**
 * A quantile of durations, with an error of up to 20 %, the width of a bucket.
 *
 * @param share such as 0.95
 * @returns milliseconds; null without requests
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
