import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CommandError, parseCommandLine } from '../src/cli/command-line.js';
import { productionPackages, readLockFile } from './lock-file.js';

// The tool runs `npm ls`, which in a development install also lists peer dependencies, such as Prisma's CLI: twice as many
// packages. So it runs on a project with only the packages that the Dockerfile installs.

const usage = `Usage: npm run sbom [-- FILE]

Writes the packages of the image as CycloneDX JSON, to sbom.json or FILE.

Example: npm run sbom -- /tmp/sbom.json
`;

const root = join(import.meta.dirname, '..');
const tool = join(root, 'node_modules/@cyclonedx/cyclonedx-npm/bin/cyclonedx-npm-cli.js');

try {
  const { values, positionals } = parseCommandLine('npm run sbom --', {
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  const [file = 'sbom.json', surplus] = positionals;
  if (surplus !== undefined) throw new CommandError(`unexpected argument "${surplus}": try "npm run sbom -- --help"`);
  if (values.help) process.stdout.write(usage);
  else write(resolve(file));
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  process.stderr.write(`sbom: ${error.message}\n`);
  process.exitCode = 1;
}

function write(file: string) {
  const lock = readLockFile(root);
  const { devDependencies, ...manifest } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { devDependencies: _, ...self } = lock.packages[''] as unknown as typeof manifest;
  const packages = Object.fromEntries([['', self], ...productionPackages(lock)]);

  const project = mkdtempSync(join(tmpdir(), 'musicez-sbom-'));
  try {
    writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(project, 'package-lock.json'), JSON.stringify({ ...lock, packages }));
    // `npm ls` reports the missing peers as errors. --validate fails when the result is not valid CycloneDX.
    const options = ['--package-lock-only', '--ignore-npm-errors', '--spec-version', '1.6', '--validate'];
    execFileSync(process.execPath, [tool, ...options, '--output-file', file], { cwd: project, stdio: 'pipe' });
  } finally {
    rmSync(project, { recursive: true });
  }
}
