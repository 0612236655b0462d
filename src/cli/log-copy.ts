import { isUnavailable } from '../../plugins/database/unavailable.js';
import type { RequestRecord, VerifiedClient } from '../../plugins/request-log/record.js';
import type { RequestLogRow } from '../../plugins/request-log/row.js';
import type { RequestLogReader, RequestLogStore } from '../../plugins/request-log/store.js';
import { CommandError } from './command-line.js';
import { startProgress } from './progress.js';

export interface CopyTarget extends Pick<RequestLogStore, 'write'> {
  /** Those of the ids that the target has. */
  storedIds(ids: readonly string[]): Promise<ReadonlySet<string>>;
}

/**
 * Copies rows that arrived at `from` or later, oldest first, and adds them to the statistics. Rows that the target has are skipped, so a
 * copy that was interrupted can be started again.
 *
 * @throws CommandError when it is interrupted, or a database fails
 */
export async function copyLog(
  source: Pick<RequestLogReader, 'pages' | 'edges'>,
  target: CopyTarget,
  from: Date,
  { stderr, signal }: { stderr: NodeJS.WriteStream; signal: AbortSignal },
): Promise<void> {
  const filter = { from: from.toISOString() };
  const progress = stderr.isTTY ? startProgress(await source.edges(filter), stderr) : undefined;
  let [read, copied, rejected] = [0, 0, 0];
  try {
    for await (const rows of source.pages(filter)) {
      const known = await target.storedIds(rows.map(({ id }) => id));
      const records = rows.filter(({ id }) => !known.has(id)).map(recordFrom);
      read += rows.length;
      // Without an id: the service may be writing some of them.
      if (records.length > 0) rejected += (await target.write({ id: null, records })).length;
      copied += records.length;
      progress?.update(read, rows.at(-1)?.id ?? '');
      if (signal.aborted) throw new CommandError(`interrupted after ${read} rows: run it again to continue`);
    }
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    throw new CommandError(`a database failed after ${read} rows: run it again to continue`);
  } finally {
    progress?.stop();
  }
  const notes = rejected > 0 ? `, ${rejected} were rejected` : '';
  stderr.write(`${copied - rejected} rows copied, ${read - copied} were there already${notes}\n`);
}

/** A row does not have the owner of the key of a request that verified another key. */
function recordFrom(row: RequestLogRow): RequestRecord {
  const { id, method, path, route, statusCode, duration, ip, userAgent, apiKeyId, traceId } = row;
  const { outcome, ownerId, verifiedApiKeyId, verification } = row;
  const isVerification = verification !== null && outcome !== null;
  return {
    ...{ id, method, path, route: route ?? '', statusCode, durationMs: duration, ip, userAgent, apiKeyId, traceId },
    ...(isVerification ? { ownerId: null, outcome: 'VALID' } : { ownerId, outcome }),
    verification: isVerification
      ? { apiKeyId: verifiedApiKeyId, ownerId, outcome, client: verification as VerifiedClient }
      : null,
    charges: [],
  };
}
