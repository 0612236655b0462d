import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The directory of package.json, independent of the directory of the compiled tests. */
export const root = dirname(fileURLToPath(import.meta.resolve('#package.json')));
