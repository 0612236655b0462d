/** An invalid value of a variable. The message is one line that names the variable, and never contains a secret. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}
