/** The benchmark cannot continue. The message explains why, without a stack trace. */
export class BenchError extends Error {
  override name = 'BenchError';
}
