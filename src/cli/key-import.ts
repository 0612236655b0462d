import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { SingleBar } from 'cli-progress';
import { type ImportedKey, maxImportedKeys } from '../../plugins/api-keys/import.js';
import type { ApiKeyStore } from '../../plugins/api-keys/store.js';
import { deletedDigestOf, type EntryFault, parseEntry } from '../../routes/api-key-import-fields.js';
import { CommandError } from './command-line.js';

interface Counts {
  created: number;
  unchanged: number;
  /** Digests that were recorded as deleted. */
  deleted: number;
  failed: number;
}

/**
 * Imports keys from a file with a JSON object on each line. Invalid lines are reported on standard error, and do not affect the
 * others.
 *
 * @returns the counts of lines by result
 * @throws CommandError when the file cannot be read
 */
export async function importKeys(store: ApiKeyStore, file: string, stderr: NodeJS.WriteStream): Promise<Counts> {
  const counts: Counts = { created: 0, unchanged: 0, deleted: 0, failed: 0 };
  const input = createReadStream(file);
  const bar = stderr.isTTY ? await startBar(file, stderr) : undefined;
  let line = 0;
  let batch: { line: number; key: ImportedKey }[] = [];
  let deleted: { line: number; digest: string }[] = [];

  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line++;
      if (text.trim() === '') continue;
      const value = parseLine(text);
      const digest = deletedDigestOf(value);
      if (digest !== undefined) {
        deleted.push({ line, digest });
        if (deleted.length === maxImportedKeys) await retireBatch();
        continue;
      }
      const entry = parseEntry(value, { allowsPlainText: true });
      if ('digest' in entry) batch.push({ line, key: entry });
      else fail(line, entry);
      if (batch.length === maxImportedKeys) await storeBatch();
    }
    await retireBatch();
    await storeBatch();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'EACCES')
      throw new CommandError(`cannot read ${file}: ${message}`);
    throw error;
  } finally {
    bar?.stop();
  }
  return counts;

  async function retireBatch() {
    const current = deleted;
    deleted = [];
    const stored = await store.retire(
      current.map(({ digest }) => digest),
      { actor: 'cli' },
    );
    for (const { line, digest } of current) {
      if (stored.has(digest)) fail(line, { path: '/deleted', message: 'this service has the key: delete it here' });
      else counts.deleted++;
    }
  }

  async function storeBatch() {
    const current = batch;
    batch = [];
    if (current.length === 0) return;
    const results = await store.importKeys(
      current.map(({ key }) => key),
      { actor: 'cli' },
    );
    for (const [i, result] of results.entries()) {
      if (result.status === 'error') fail(current[i]?.line ?? 0, result);
      else counts[result.status]++;
    }
    bar?.update(input.bytesRead, { keys: counts.created + counts.unchanged });
  }

  function fail(line: number, { path, message }: EntryFault) {
    counts.failed++;
    stderr.write(`line ${line}: ${path}${path && ' '}${message}\n`);
  }
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function startBar(file: string, stream: NodeJS.WriteStream): Promise<SingleBar> {
  const { size } = await stat(file).catch(() => ({ size: 0 }));
  const format = '{bar} {percentage} % | {keys} keys | {duration_formatted}';
  const bar = new SingleBar({ stream, format, barsize: 30, clearOnComplete: true });
  bar.start(size, 0, { keys: 0 });
  return bar;
}
