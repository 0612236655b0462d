import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as bench from '../../bench/options.js';
import { onceIsEnough, onPostgres } from '../database.js';
import { root } from '../root.js';
import { commandsOf, pages } from './blocks.js';
import { prepareShell } from './shell.js';

onceIsEnough();

t.setTimeout(240_000);

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const isRunByCi = (command: string) => () => read('.ci/run').includes(` ${command}`);
/** Whether a test has a part of the command in it, and what the command names in the checkout is there. */
const isHeldBy = (test: string, word: string) => (command: string) =>
  command.includes(word) &&
  read(test).includes(word) &&
  (command.match(/\bdeploy\/\S+/g) ?? []).every((path) => existsSync(join(root, path)));

/**
 * Commands that are not run here, why, and what is looked at instead. Whatever stands in a page is run or stands here, and
 * whatever stands here stands in a page.
 */
const exceptions: [command: RegExp, reason: string, isHeld: (command: string) => boolean][] = [
  [/^npm ci$/, 'takes minutes', isRunByCi('npm ci')],
  [/^npm test$/, 'is what runs this', isRunByCi('npm test')],
  [/npm run test:postgres$/, 'is what runs this', isRunByCi('npm run test:postgres')],
  [
    /^npm run soak$/,
    'takes ten minutes',
    () => isRunByCi('npm run test:postgres')() && existsSync(join(root, 'test/soak/soak.test.ts')),
  ],
  [/npm run bench -- /, 'takes minutes', (command) => isRunByCi('npm run bench')() && isBench(command)],
  [/^gh attestation verify /, 'needs an image that is published', isHeldBy('test/github/workflows.test.ts', 'attest')],
  [/caddy run --config /, 'needs another service', isHeldBy('test/deploy/proxy-processes.ts', 'Caddyfile')],
  [/^kubectl .*create secret generic /, 'needs a cluster', namesWhatIsThere],
  [/^kubectl .*apply -f /, 'needs a cluster', isHeldBy('test/deploy/kubernetes.test.ts', 'namespace')],
  [/^kubectl .*apply -k /, 'needs a cluster', isHeldBy('test/deploy/kubernetes.test.ts', 'overlays/example')],
  [/^kubectl .*rollout /, 'needs a cluster', namesWhatIsThere],
];

/** Goes on until it is stopped. */
const serves = /npm (start|run dev|run demo)\b/;
const listens = /^curl -N /;
/** The embedded database takes seconds to open: there one spelling of a command has to do. */
const needsPostgres = /DATABASE_URL=postgresql:|STANDBY_URL|dist\/src\/cli\.js/;

const shell = await prepareShell();
const met = new Set<RegExp>();
const served = new Set<string>();

for (const page of pages.filter((page) => commandsOf(page).length > 0)) {
  t.test(`the shell lines of ${page} do what they say`, async (t) => {
    for (const written of commandsOf(page)) {
      // What is said in the container is said here.
      const command = written.replace(/^kubectl .* exec deployment\/musicez -- /, '');
      const exception = exceptions.find(([pattern]) => pattern.test(command));
      if (exception) {
        const [pattern, reason, isHeld] = exception;
        met.add(pattern);
        t.ok(isHeld(command), `${command} (${reason})`);
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

t.test('no exception is left behind', async (t) => {
  for (const [pattern] of exceptions) t.ok(met.has(pattern), String(pattern));
});

/** Whether namespace, deployment and secret of the command are those of the manifests. */
function namesWhatIsThere(command: string): boolean {
  const deployment = read('deploy/kubernetes/base/deployment.yaml');
  const [, namespace] = / -n (\S+)/.exec(command) ?? [];
  const [, kind, name] = / (deployment\/|secret generic )(\S+)/.exec(command) ?? [];
  const held = kind === 'deployment/' ? /^ {2}name: (\S+)$/m : /secretKeyRef:\n +name: (\S+)$/m;
  return (
    new RegExp(`^ {2}name: ${namespace}$`, 'm').test(read('deploy/kubernetes/overlays/example/namespace.yaml')) &&
    held.exec(deployment)?.[1] === name
  );
}

function isBench(command: string): boolean {
  return !bench.readOptions(command.split(' -- ')[1]?.split(' ') ?? []).help;
}
