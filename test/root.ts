import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where package.json is, wherever the tests have been compiled to. */
export const root = dirname(fileURLToPath(import.meta.resolve('#package.json')));
