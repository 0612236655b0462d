import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as bench from '../../bench/options.js';
import { onPostgres, skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';
import { commandsOf, pages } from './blocks.js';
import { prepareShell } from './shell.js';

skipFileOnEmbedded();

t.setTimeout(240_000);

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const isRunByCi = (command: string) => () => read('.ci/run').includes(` ${command}`);
/** Whether a test contains this word of the command, and the files of deploy/ in the command exist. */
const isCheckedBy = (test: string, word: string) => (command: string) =>
  command.includes(word) &&
  read(test).includes(word) &&
  (command.match(/\bdeploy\/\S+/g) ?? []).every((path) => existsSync(join(root, path)));

/**
 * Commands that are not run here, the reason, and what is checked in their place. Each command of a page is run or is listed here, and
 * each entry is used by a page.
 */
const exceptions: [command: RegExp, reason: string, isChecked: (command: string) => boolean][] = [
  [/^npm ci$/, 'takes minutes', isRunByCi('npm ci')],
  [/^npm test$/, 'runs this test', isRunByCi('npm test')],
  [/npm run test:postgres$/, 'runs this test', isRunByCi('npm run test:postgres')],
  [
    /^npm run test:clickhouse$/,
    'downloads 550 MB',
    isRunByCi('npm install --no-save --prefix scripts/clickhouse/engine'),
  ],
  [/^npm run logs -- copy /, 'needs ClickHouse', isCheckedBy('test/clickhouse/copy.test.ts', '--from-postgres')],
  [
    /^npm run soak$/,
    'takes ten minutes',
    () => isRunByCi('npm run test:postgres')() && existsSync(join(root, 'test/soak/soak.test.ts')),
  ],
  [/npm run bench -- /, 'takes minutes', (command) => isRunByCi('npm run bench')() && isBench(command)],
  [
    /^gh attestation verify /,
    'needs an image that is published',
    isCheckedBy('test/github/workflows.test.ts', 'attest'),
  ],
  [
    /prisma:migrate -- --name add_orders$/,
    'needs the model of the page',
    isCheckedBy('test/docs/crud-module.test.ts', 'add_orders'),
  ],
  [/^npx musicez init /, 'the package is not in a registry', isCheckedBy('test/package/service.test.ts', 'init')],
  [/caddy run --config /, 'needs another service', isCheckedBy('test/deploy/proxy-processes.ts', 'Caddyfile')],
  [/^kubectl .*create secret generic /, 'needs a cluster', namesExistingResources],
  [/^kubectl .*apply -f /, 'needs a cluster', isCheckedBy('test/deploy/kubernetes.test.ts', 'namespace')],
  [/^kubectl .*apply -k /, 'needs a cluster', isCheckedBy('test/deploy/kubernetes.test.ts', 'overlays/example')],
  [/^helm upgrade /, 'needs a cluster', isCheckedBy('test/deploy/helm.test.ts', 'image.repository=')],
  [/^kubectl .*rollout /, 'needs a cluster', namesExistingResources],
];

/** Commands that run until they are stopped. */
const serves = /npm (start|run dev|run demo)\b/;
const listens = /^curl -N /;
/** Commands to run on PostgreSQL only: the embedded database takes seconds to open. */
const needsPostgres = /DATABASE_URL=postgresql:|STANDBY_URL|dist\/src\/cli\.js/;

const shell = await prepareShell();
const usedExceptions = new Set<RegExp>();
const served = new Set<string>();

for (const page of pages.filter((page) => commandsOf(page).length > 0)) {
  t.test(`the shell commands of ${page} succeed`, async (t) => {
    for (const written of commandsOf(page)) {
      // Commands for the container run on this machine.
      const command = written.replace(/^kubectl .* exec deployment\/musicez -- /, '');
      const exception = exceptions.find(([pattern]) => pattern.test(command));
      if (exception) {
        const [pattern, reason, isChecked] = exception;
        usedExceptions.add(pattern);
        t.ok(isChecked(command), `${command} (${reason})`);
      } else if (needsPostgres.test(command) && !onPostgres) {
        t.pass(command, { skip: 'needs PostgreSQL: npm run test:postgres' });
      } else if (serves.test(command)) {
        if (served.has(command)) continue;
        served.add(command);
        const { isServing, code, output } = await shell.serve(command);
        t.ok(isServing && code === 0, command, { output });
      } else if (listens.test(command)) {
        const { output } = await shell.listen(command);
        t.match(output, /^: listening/, command);
      } else {
        const { code, output } = await shell.run(command);
        t.equal(code, 0, command, { output });
      }
    }
  });
}

t.test('every exception applies to a command of a page', async (t) => {
  for (const [pattern] of exceptions) t.ok(usedExceptions.has(pattern), String(pattern));
});

/** Whether the manifests contain the namespace, deployment and secret of the command. */
function namesExistingResources(command: string): boolean {
  const deployment = read('deploy/kubernetes/base/deployment.yaml');
  const [, namespace] = / -n (\S+)/.exec(command) ?? [];
  const [, kind, name] = / (deployment\/|secret generic )(\S+)/.exec(command) ?? [];
  const namePattern = kind === 'deployment/' ? /^ {2}name: (\S+)$/m : /secretKeyRef:\n +name: (\S+)$/m;
  return (
    new RegExp(`^ {2}name: ${namespace}$`, 'm').test(read('deploy/kubernetes/overlays/example/namespace.yaml')) &&
    namePattern.exec(deployment)?.[1] === name
  );
}

function isBench(command: string): boolean {
  return !bench.parseOptions(command.split(' -- ')[1]?.split(' ') ?? []).help;
}
