import { OfflineError, type Query, send } from './api.js';

/**
 * Saves a response as a file. It is held in memory, because a link could not send the key.
 *
 * @param onProgress called with the number of bytes so far
 * @throws as `send`, and OfflineError when the response is cut
 */
export async function download(
  path: string,
  query: Query,
  { name, signal, onProgress }: { name: string; signal: AbortSignal; onProgress: (bytes: number) => void },
): Promise<void> {
  const response = await send('GET', path, { query, signal });
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let receivedBytes = 0;
  try {
    const reader = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parts.push(read.value);
      receivedBytes += read.value.length;
      onProgress(receivedBytes);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new OfflineError();
  }
  save(new Blob(parts, { type: response.headers.get('content-type') ?? '' }), name);
}

function save(blob: Blob, name: string) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
