import { StartError } from '../start-error.js';

/** The database cannot be used, and retrying cannot help. */
export class DatabaseStartError extends StartError {
  override name = 'DatabaseStartError';
}

/** Another process applies migrations, or locks a table that a migration changes. Retrying can help. */
export class MigrationBlockedError extends Error {
  override name = 'MigrationBlockedError';
}
