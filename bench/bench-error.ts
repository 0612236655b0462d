/** The benchmark cannot go on. The message alone tells whoever runs it why. */
export class BenchError extends Error {
  override name = 'BenchError';
}
