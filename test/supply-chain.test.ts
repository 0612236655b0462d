import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { productionPackages, readLockFile } from '../deploy/lock-file.js';
import { onceIsEnough } from './database.js';
import { root } from './root.js';

onceIsEnough();

// 129 are installed: 48 for Fastify itself, 30 for the page of the documentation, 20 for Prisma and pg. The rest of the
// service takes one to nine a piece. There is room for what a release of one of them may bring, and not for another
// dependency with a tree of its own: whoever wants one raises this number and says what for.
const mostPackages = 135;

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

t.test('the lock file knows every package by its contents, and names no host that it must come from', async (t) => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  t.ok(packages.length > 0);
  const others = packages.filter(([, { integrity, resolved }]) => !integrity?.startsWith('sha512-') || resolved);
  t.strictSame(others, []);
  t.notMatch(JSON.stringify(lock), /https?:\/\/[^"]*\.tgz/);
});

t.test(`the service needs at most ${mostPackages} packages`, async (t) => {
  t.ok(production.length <= mostPackages, `${production.length} packages`);
});

t.test(
  'no package of the service wants to run a script when it is installed, and none would in the image',
  async (t) => {
    t.strictSame(
      production.filter(([, { hasInstallScript }]) => hasInstallScript),
      [],
    );
    const installs = dockerfile.match(/^RUN npm .*$/gm)?.filter((line) => !line.startsWith('RUN npm run ')) ?? [];
    t.equal(installs.length, 2);
    for (const line of installs) t.match(line, /^RUN npm ci .*--ignore-scripts/);
    t.match(installs[1], '--omit=dev --omit=optional --omit=peer');
  },
);

t.test('three packages of development want to run a script, and no other may join them', async (t) => {
  // npm ≥ 11.19 runs none, and none is needed. libxmljs2's, which would fetch or compile a binary, is not among them: the
  // tool for the bill of materials has it to check XML, which nobody writes, so package.json puts a package in its place
  // that is there anyway.
  const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  t.strictSame(
    scripted.map(([path]) => path),
    ['node_modules/@prisma/engines', 'node_modules/esbuild', 'node_modules/prisma'],
  );
});

t.test('every stage of the image begins with the one base that NODE_IMAGE names', async (t) => {
  const [first, ...stages] = dockerfile.match(/^(ARG NODE_IMAGE|FROM).*$/gm) ?? [];
  t.match(first, /^ARG NODE_IMAGE=node:\d+-slim$/);
  t.equal(stages.length, 3);
  for (const stage of stages) t.match(stage, /^FROM \$\{NODE_IMAGE\}( AS \w+)?$/);
});

t.test('the bill of materials is CycloneDX, and lists the packages of the service and no others', async (t) => {
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

t.test('npm knows of no hole in a package of the service', async (t) => {
  const audit = ['audit', '--json', '--omit=dev', '--omit=optional', '--omit=peer', '--fetch-retries=0'];
  const report = JSON.parse(spawnSync('npm', audit, npm).stdout);
  if (report.auditReportVersion === undefined) {
    const why = report.statusCode ?? report.error?.code ?? 'unreachable';
    t.pass('npm audit', { skip: `the registry does not answer audits (${why})` });
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
