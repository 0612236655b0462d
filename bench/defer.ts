/** Keeps what is to be done at the end; run in the reverse order. */
export type Defer = (cleanup: () => Promise<unknown>) => void;

/**
 * Does `work` and then, however it ended, everything that it deferred; one that fails does not keep the others.
 *
 * @returns what `work` does
 */
export async function withCleanup<T>(work: (defer: Defer) => Promise<T>): Promise<T> {
  const cleanups: (() => Promise<unknown>)[] = [];
  try {
    return await work((cleanup) => cleanups.push(cleanup));
  } finally {
    for (const cleanup of cleanups.reverse()) {
      await cleanup().catch((error: Error) => process.stderr.write(`bench: ${error.message}\n`));
    }
  }
}
