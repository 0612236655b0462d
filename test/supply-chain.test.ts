import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { productionPackages, readLockFile } from '../scripts/lock-file.js';
import { skipFileOnEmbedded } from './database.js';
import { root } from './root.js';

skipFileOnEmbedded();

// 158 packages are installed: 48 for Fastify, 30 for the documentation page, 29 for OpenTelemetry (loaded only when spans are
// on), 20 for Prisma and pg. Each of the other dependencies brings one to nine. The rest is room for packages that a new release of one of them adds, not for
// another dependency with its own tree. Raise this number only for a good reason.
const maxPackages = 164;

const lock = readLockFile(root);
const production = productionPackages(lock);
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
// npm does not start under tap's loader.
const npm = { cwd: root, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;

interface Bom {
  bomFormat: string;
  serialNumber: string;
  metadata: { component: { name: string; version: string } };
  components: Component[];
}
interface Component {
  group?: string;
  name: string;
  version: string;
  components?: Component[];
}

t.test('the lock file has a SHA-512 hash for every package and no download URL', async (t) => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  t.ok(packages.length > 0);
  const others = packages.filter(([, { integrity, resolved }]) => !integrity?.startsWith('sha512-') || resolved);
  t.strictSame(others, []);
  t.notMatch(JSON.stringify(lock), /https?:\/\/[^"]*\.tgz/);
});

t.test(`the service needs at most ${maxPackages} packages`, async (t) => {
  t.ok(production.length <= maxPackages, `${production.length} packages`);
});

t.test('no package of the service has an install script, and the image build runs none', async (t) => {
  t.strictSame(
    production.filter(([, { hasInstallScript }]) => hasInstallScript),
    [],
  );
  const installs = dockerfile.match(/^RUN npm .*$/gm)?.filter((line) => !line.startsWith('RUN npm run ')) ?? [];
  t.equal(installs.length, 2);
  for (const line of installs) t.match(line, /^RUN npm ci .*--ignore-scripts/);
  t.match(installs[1], '--omit=dev --omit=optional --ignore-scripts');
});

t.test('only @prisma/engines, esbuild and prisma have an install script', async (t) => {
  // npm ≥ 11.19 runs none of these scripts, and none is needed. libxmljs2, whose script fetches or compiles a binary,
  // is absent: the SBOM tool uses it only to validate XML, which is not done here, so package.json replaces it with a
  // package that is installed anyway.
  const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  t.strictSame(
    scripted.map(([path]) => path),
    ['node_modules/@prisma/engines', 'node_modules/esbuild', 'node_modules/prisma'],
  );
});

t.test('every stage of the image uses the base image in NODE_IMAGE', async (t) => {
  const [first, ...stages] = dockerfile.match(/^(ARG NODE_IMAGE|FROM).*$/gm) ?? [];
  t.match(first, /^ARG NODE_IMAGE=node:\d+-slim$/);
  t.equal(stages.length, 3);
  for (const stage of stages) t.match(stage, /^FROM \$\{NODE_IMAGE\}( AS \w+)?$/);
});

t.test('the bill of materials is CycloneDX and lists exactly the packages of the service', async (t) => {
  const file = join(t.testdir(), 'sbom.json');
  execFileSync('npm', ['run', '--silent', 'sbom', '--', file], npm);
  const bom: Bom = JSON.parse(readFileSync(file, 'utf8'));
  t.match(bom, { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber: /^urn:uuid:/ });
  t.match(bom.metadata.component, { name: 'musicez', version: /^\d/ });
  t.strictSame(
    namesOf(bom.components).toSorted(),
    production.map(([path, { version }]) => `${path.split('node_modules/').at(-1)}@${version}`).toSorted(),
  );
});

t.test('npm audit reports no vulnerability in a package of the service', async (t) => {
  const audit = ['audit', '--json', '--omit=dev', '--omit=optional', '--fetch-retries=0'];
  const report = JSON.parse(spawnSync('npm', audit, npm).stdout);
  if (report.auditReportVersion === undefined) {
    const reason = report.statusCode ?? report.error?.code ?? 'unreachable';
    t.pass('npm audit', { skip: `the registry returned no audit report (${reason})` });
    return;
  }
  t.strictSame(report.vulnerabilities, {});
});

function namesOf(components: Component[]): string[] {
  return components.flatMap(({ group, name, version, components = [] }) => [
    `${group ? `${group}/` : ''}${name}@${version}`,
    ...namesOf(components),
  ]);
}
