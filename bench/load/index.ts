import { autocannon } from './autocannon.js';
import type { LoadGenerator } from './generator.js';
import { wrk } from './wrk.js';

/** wrk if it is installed, otherwise autocannon, which uses more CPU itself. */
export async function findLoadGenerator(connections: number): Promise<LoadGenerator> {
  return (await wrk(connections)) ?? autocannon(connections);
}
