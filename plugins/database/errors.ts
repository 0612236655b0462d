/** The database cannot be used, and waiting will not help. The message is one line for whoever starts the service. */
export class DatabaseStartError extends Error {
  override name = 'DatabaseStartError';
}
