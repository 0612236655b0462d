/** Registers a function to run at the end. They run in reverse order. */
export type Defer = (cleanup: () => Promise<unknown>) => void;

/**
 * Runs `work` and then, also after an error, all functions that it deferred. An error in one of them is printed, and the others run.
 *
 * @returns the result of `work`
 */
export async function withCleanup<T>(work: (defer: Defer) => Promise<T>): Promise<T> {
  const cleanups: (() => Promise<unknown>)[] = [];
  try {
    return await work((cleanup) => cleanups.push(cleanup));
  } finally {
    for (const cleanup of cleanups.reverse()) {
      await cleanup().catch((error: Error) => process.stderr.write(`cleanup failed: ${error.message}\n`));
    }
  }
}
