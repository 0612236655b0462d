/** The service cannot start, and waiting will not help. The message is one line that names the variable and the remedy. */
export class StartError extends Error {
  override name = 'StartError';
}
