import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './config/index.js';

/** npm scripts compile first; the image has no compiler. */
const isCheckout = existsSync(join(packageRoot, 'tsconfig.build.json'));

/** The command lines of the commands in this environment, for help and messages. */
export const commandNames = isCheckout
  ? { keys: 'npm run keys --', logs: 'npm run logs --', migrate: 'npm run prisma:migrate' }
  : {
      keys: 'node dist/src/cli.js keys',
      logs: 'node dist/src/cli.js logs',
      migrate: 'node dist/src/cli.js migrate',
    };
