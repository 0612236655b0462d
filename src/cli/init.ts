import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { commandNames } from '../command-names.js';
import { packageRoot, version } from '../config/index.js';
import { CommandError, parseCommandLine } from './command-line.js';

const usage = `Usage: ${commandNames.init} DIRECTORY

Writes a new service that is built on musicez: a route module with a table, its migration and its test, a Dockerfile, a compose file and a
workflow. The name of the directory is the name of the package. The directory must be empty, except for .git.

Example: ${commandNames.init} my-service
`;

const template = join(packageRoot, 'examples/service');
/** Files that npm and the template's commands create in a checkout of musicez. They are not copied. */
const generated = /^\/(node_modules|dist|src\/generated|\.data|\.env|package-lock\.json)$/;
/** npm does not pack .gitignore and .dockerignore, so the template has them without the dot. */
const hidden = ['gitignore', 'dockerignore'];

/**
 * Runs `init`.
 *
 * @param args the arguments after `init`
 * @throws CommandError when `args` are invalid, or the directory is not empty
 */
export async function runInitCommand(args: string[]): Promise<void> {
  const { values, positionals } = parseCommandLine('init', {
    args,
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return void process.stdout.write(usage);
  const [path, ...others] = positionals;
  if (path === undefined || others.length > 0)
    throw new CommandError(`init needs one directory, as in "${commandNames.init} my-service"`);
  const directory = resolve(path);
  const name = basename(directory);
  if (!/^[a-z0-9][a-z0-9._-]{0,99}$/.test(name))
    throw new CommandError(
      `"${name}" cannot be the name of a package: use lower-case letters, digits and hyphens, as in my-service`,
    );
  if (!existsSync(template)) throw new CommandError('the image has no template: use "npx musicez init"');
  await assertEmpty(directory);
  await write(directory, name);
  process.stdout.write(`${path} written. Next:\n\n  cd ${path}\n  npm install\n  npm test\n  npm start\n`);
}

async function assertEmpty(directory: string) {
  try {
    await mkdir(directory, { recursive: true });
    const files = (await readdir(directory)).filter((name) => name !== '.git');
    if (files.length > 0) throw new Error('it is not empty');
  } catch (error) {
    throw new CommandError(`${directory} cannot be used: ${(error as Error).message}`);
  }
}

async function write(directory: string, name: string) {
  await cp(template, directory, { recursive: true, filter: (path) => !generated.test(path.slice(template.length)) });
  for (const file of hidden) await rename(join(directory, file), join(directory, `.${file}`));
  await change(join(directory, 'README.md'), (text) => text.replace('# my-service', `# ${name}`));
  await change(join(directory, 'package.json'), (text) => {
    const manifest = JSON.parse(text);
    const dependencies = { ...manifest.dependencies, musicez: `^${version}` };
    return `${JSON.stringify({ ...manifest, name, dependencies }, null, 2)}\n`;
  });
}

async function change(file: string, edit: (text: string) => string) {
  await writeFile(file, edit(await readFile(file, 'utf8')));
}
