import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from './root.js';
import { temporaryDirectory } from './temporary-directory.js';

const directories = [
  'bench',
  'client',
  'dashboard',
  'demo',
  'deploy',
  'docs',
  'plugins',
  'prisma',
  'routes',
  'scripts',
  'src',
  'test',
  'dist',
];
const files = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'prisma.config.ts', 'biome.json'];

/** Copies the working tree so that a test can change it. The copy is removed when the test file ends. */
export function makeCheckout() {
  const path = temporaryDirectory(t);
  for (const name of [...directories, ...files]) cpSync(join(root, name), join(path, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(path, 'node_modules'));

  return { path, run: (command: string, variables: NodeJS.ProcessEnv) => runShell(path, command, variables) };
}

/** Runs a shell command, without the environment variables that tap and npm set. */
export function runShell(cwd: string, command: string, variables: NodeJS.ProcessEnv = {}) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(_?TAP|NODE_OPTIONS$|npm_)/.test(name)),
  );
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd,
    encoding: 'utf8',
    env: { ...env, ...variables },
  });
  return { status, output: `${stdout}${stderr}` };
}
