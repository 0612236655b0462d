import type pg from 'pg';
import { backoff } from './backoff.js';
import { withDeadline } from './deadline.js';
import { DatabaseStartError, MigrationBlockedError } from './errors.js';
import { permanentError } from './permanent-errors.js';
import { isUnavailable } from './unavailable.js';

const oldestServer = 150_000;
const attemptDeadlineMs = 5_000;

/** Called after each attempt that failed. */
export type OnFailure = (error: Error, attempt: number) => void;

/**
 * Waits until the database answers. Retries with backoff while it is down, is starting, or has no free connection.
 *
 * @param onFailure called after each attempt that failed
 * @param signal stops, with an AbortError
 * @param shouldRetryNow whether to retry at once after an error, such as when optional TLS is not offered
 * @throws DatabaseStartError when retrying cannot help
 */
export async function waitForDatabase(
  pool: pg.Pool,
  onFailure: OnFailure,
  signal: AbortSignal,
  shouldRetryNow: (error: Error) => boolean = () => false,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = pool.query<{ version: number }>(`SELECT current_setting('server_version_num')::int AS version`);
      const { rows } = await withDeadline(answer, attemptDeadlineMs);
      const version = rows[0]?.version ?? 0;
      if (version >= oldestServer) return;
      throw new DatabaseStartError(
        `DATABASE_URL: PostgreSQL 15 or newer is required; this server has version ${Math.floor(version / 10_000)}`,
      );
    } catch (error) {
      if (shouldRetryNow(error as Error)) continue;
      const permanent = permanentError(error);
      if (permanent) throw permanent;
      onFailure(error as Error, attempt);
    }
    await backoff(attempt, signal);
  }
}

/**
 * Retries `work` with backoff while the database is not available or a migration is blocked.
 *
 * @param onFailure called after each such failure
 * @param signal stops, with an AbortError
 * @throws DatabaseStartError when retrying cannot help
 * @throws any other error of `work`
 */
export async function retryWhileUnavailable<T>(
  work: () => Promise<T>,
  onFailure: OnFailure,
  signal?: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const permanent = permanentError(error);
      if (permanent) throw permanent;
      if (!isUnavailable(error) && !(error instanceof MigrationBlockedError)) throw error;
      onFailure(error as Error, attempt);
    }
    await backoff(attempt, signal);
  }
}
