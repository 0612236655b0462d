import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Returns the heap bytes still in use after pending callbacks have run and garbage has been collected. */
export async function heapUsed(): Promise<number> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve));
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
