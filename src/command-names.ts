import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';
import { packageRoot } from './config/index.js';

/** The command lines of the commands in this environment, for help and messages. */
export const commandNames = namesHere();

function namesHere() {
  // npm scripts compile first; the image has no compiler.
  if (existsSync(join(packageRoot, 'tsconfig.build.json')))
    return {
      start: 'npm start',
      keys: 'npm run keys --',
      logs: 'npm run logs --',
      migrate: 'npm run prisma:migrate',
      studio: 'npm run prisma:studio --',
      doctor: 'npm run doctor',
      init: 'node dist/src/cli.js init',
    };
  const program = packageRoot.split(sep).includes('node_modules') ? 'npx musicez' : 'node dist/src/cli.js';
  return {
    start: `${program} start`,
    keys: `${program} keys`,
    logs: `${program} logs`,
    migrate: `${program} migrate`,
    studio: `${program} studio`,
    doctor: `${program} doctor`,
    init: `${program} init`,
  };
}
