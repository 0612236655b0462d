import { ApiError, requestJson } from '../api.js';

/** The counts of lines by result so far. */
export interface Progress {
  /** How much of the file was read, approximately. */
  bytes: number;
  created: number;
  unchanged: number;
  deleted: number;
  failed: number;
  /** The first failed lines. */
  faults: { line: number; message: string }[];
}

interface ImportResponse extends Omit<Progress, 'bytes' | 'faults'> {
  results: { line: number; status: string; path?: string; message?: string }[];
}

/** A request stays below the limits of the service, 1,000 keys and 8 MiB. Small batches update the progress often. */
const batchLines = 500;
const maxBodyLength = 6 * 2 ** 20;
const maxFaults = 100;
const maxAttempts = 60;
const retryDelayMs = 2_000;

/**
 * Imports a file with a JSON object on each line, in several requests.
 *
 * @param onProgress called at the start, after each request and at the end
 * @throws as `requestJson`, or an AbortError; keys that were imported before stay, and the import can be repeated
 */
export async function importFile(file: Blob, onProgress: (progress: Progress) => void, signal: AbortSignal) {
  const progress: Progress = { bytes: 0, created: 0, unchanged: 0, deleted: 0, failed: 0, faults: [] };
  let batch: { line: number; entry: unknown }[] = [];
  let length = 0;
  let line = 0;

  onProgress({ ...progress });
  for await (const text of linesOf(file, signal)) {
    line++;
    progress.bytes += text.length + 1;
    if (text.trim() === '') continue;
    const entry = parse(text);
    if (entry === undefined) {
      fail(line, 'is not a JSON object');
      continue;
    }
    if (text.length > maxBodyLength) {
      fail(line, 'is too long');
      continue;
    }
    if (batch.length === batchLines || length + text.length > maxBodyLength) await sendBatch();
    batch.push({ line, entry });
    length += text.length;
  }
  if (batch.length > 0) await sendBatch();
  onProgress({ ...progress });

  async function sendBatch() {
    const body = { keys: batch.map(({ entry }) => entry) };
    const response = await patiently(() =>
      requestJson<ImportResponse>('POST', '/v1/api-keys/import', { body, signal }),
    );
    for (const name of ['created', 'unchanged', 'deleted'] as const) progress[name] += response[name];
    for (const { line: entry, status, path, message } of response.results)
      if (status === 'error') fail(batch[entry - 1]?.line ?? 0, `${path ?? ''} ${message ?? ''}`.trim());
    [batch, length] = [[], 0];
    onProgress({ ...progress });
  }

  function fail(line: number, message: string) {
    progress.failed++;
    if (progress.faults.length < maxFaults) progress.faults.push({ line, message });
  }
}

/** Repeats a request for up to two minutes while the session's key is over its rate limit, or the service is not available. */
async function patiently<T>(request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      const isTemporary = error instanceof ApiError && [429, 503].includes(error.problem.status);
      if (!isTemporary || attempt === maxAttempts) throw error;
      await new Promise((resolve) => window.setTimeout(resolve, retryDelayMs));
    }
  }
}

/** @returns undefined when the text is not a JSON object */
function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

async function* linesOf(file: Blob, signal: AbortSignal) {
  const reader = file.stream().pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    signal.throwIfAborted();
    const lines = (rest + read.value).split(/\r?\n/);
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest;
}
