import type pg from 'pg';
import { backoff } from './backoff.js';
import { withDeadline } from './deadline.js';
import { DatabaseStartError } from './errors.js';
import { isUnavailable } from './unavailable.js';

const oldestServer = 150_000;
const attemptDeadlineMs = 5_000;

/**
 * What no waiting mends: wrong password, no such role, refused by pg_hba.conf, no such database.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const hopeless = new Set(['28P01', '28000', '3D000']);

/**
 * Waits until the database answers: tries again with backoff while it is down, starting or full.
 *
 * @param onFailure told after each try that failed
 * @param signal gives up, with an AbortError
 * @throws DatabaseStartError when trying again cannot help
 */
export async function waitForDatabase(
  pool: pg.Pool,
  onFailure: (error: Error, attempt: number) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = pool.query<{ version: number }>(`SELECT current_setting('server_version_num')::int AS version`);
      const { rows } = await withDeadline(answer, attemptDeadlineMs);
      const version = rows[0]?.version ?? 0;
      if (version >= oldestServer) return;
      throw new DatabaseStartError(`PostgreSQL 15 or newer is needed; this is version ${Math.floor(version / 10_000)}`);
    } catch (error) {
      if (error instanceof DatabaseStartError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      if (hopeless.has(code ?? '')) throw new DatabaseStartError(`the database refuses this service: ${message}`);
      onFailure(error as Error, attempt);
    }
    await backoff(attempt, signal);
  }
}

/**
 * Does `work` again, with backoff, for as long as it fails because the database went away meanwhile.
 *
 * @param onFailure told after each try that failed so
 * @throws what `work` throws for any other reason
 */
export async function retryWhileUnavailable<T>(
  work: () => Promise<T>,
  onFailure: (error: Error, attempt: number) => void,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      onFailure(error as Error, attempt);
    }
    await backoff(attempt);
  }
}
