import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { onceIsEnough, ownDatabase } from '../database.js';
import { freePort } from '../process.js';
import { root } from '../root.js';
import { readDockerfile } from './dockerfile.js';

onceIsEnough();

const instructions = readDockerfile();
const image = instructions.filter(({ stage }) => stage === undefined);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const copies = instructions.filter(({ keyword }) => keyword === 'COPY').map(({ rest }) => rest);

/** What the image says under a keyword, which it says once. */
function only(keyword: string): string {
  const [first, ...others] = image.filter((instruction) => instruction.keyword === keyword);
  if (!first || others.length > 0) throw new Error(`${others.length + (first ? 1 : 0)} times ${keyword}`);
  return first.rest;
}

t.test('the service is process 1 of the container: no shell and no npm starts it', async (t) => {
  t.strictSame(JSON.parse(only('ENTRYPOINT')), []);
  t.strictSame(JSON.parse(only('CMD')), [
    'node',
    '--use-largepages=silent',
    '--single-threaded-gc',
    'dist/src/server.js',
  ]);
  t.equal(manifest.scripts.start, JSON.parse(only('CMD')).join(' '));
});

t.test('it is a user with a number, who may write to the volume of its data and to nothing else', async (t) => {
  const [, user, group] = /^([1-9]\d*):([1-9]\d*)$/.exec(only('USER')) ?? [];
  const variables = Object.fromEntries(new URLSearchParams(only('ENV').replaceAll(' ', '&')));
  t.strictSame(variables, { NODE_ENV: 'production', DATA_DIR: only('VOLUME') });
  t.equal(only('RUN'), `install -d -m 700 -o ${user} -g ${group} ${variables.DATA_DIR}`);
  t.notMatch(copies, [/--chown/]);
});

t.test('the health check says yes of a service that is ready, and no before and without one', async (t) => {
  const [, test = ''] = /CMD (\[.*\])$/.exec(only('HEALTHCHECK')) ?? [];
  const [program, ...args]: string[] = JSON.parse(test);
  t.equal(program, 'node');
  const exitCode = (port: number | string) =>
    promisify(execFile)(process.execPath, args, { env: { PORT: `${port}` } }).then(
      () => 0,
      ({ code }) => code,
    );
  const app = await startApp(await ownDatabase());
  await app.listen({ port: 0, host: '0.0.0.0' });
  const { port } = app.server.address() as AddressInfo;
  t.equal(await exitCode(port), 1, 'before');
  app.health.markWarm();
  t.equal(await exitCode(port), 0, 'ready');
  t.equal(await exitCode(await freePort()), 1, 'without one');
});

t.test('the port that it exposes, and the health check asks, is the default', async (t) => {
  const { port } = loadConfig({});
  t.equal(only('EXPOSE'), `${port}`);
  t.match(only('HEALTHCHECK'), `process.env.PORT || ${port}}`);
});

t.test('the labels are what package.json says, and who builds a release says the rest', async (t) => {
  const label = Object.fromEntries(
    [...only('LABEL').matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  const { name, description, license, version } = manifest;
  const told = { source: `\${SOURCE}`, revision: `\${REVISION}`, created: `\${CREATED}` };
  t.strictSame(label, { title: name, description, licenses: license, version, ...told });
  const workflow = readFileSync(join(root, '.github/workflows/image.yml'), 'utf8');
  for (const { rest } of image.filter(({ keyword, rest }) => keyword === 'ARG' && !rest.includes('='))) {
    t.match(workflow, `--build-arg "${rest}=`);
  }
});

t.test('the build is shown what it copies, which is there, and nothing else: no .env, no .npmrc', async (t) => {
  const copied = copies
    .filter((rest) => !rest.startsWith('--from='))
    .flatMap((rest) => rest.split(' ').slice(0, -1))
    .map((path) => path.replace(/\/$/, ''));
  for (const path of copied) t.ok(existsSync(join(root, path)), path);
  const patterns = readFileSync(join(root, '.dockerignore'), 'utf8').match(/^[^#\n].*$/gm) ?? [];
  const shown = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  t.strictSame(shown.toSorted(), [...new Set(copied)].toSorted());
  // The last pattern that fits a path decides.
  t.strictSame(patterns[0], '*');
  t.strictSame(patterns.slice(shown.length + 1), ['plugins/prisma/generated', '**/.*']);
  t.notOk(shown.some((path) => path.includes('*') || path.startsWith('.')));
});

t.test('the image takes over what the stages have made, and nothing directly', async (t) => {
  const taken = image.filter(({ keyword }) => keyword === 'COPY').map(({ rest }) => rest);
  t.strictSame(taken, [
    '--from=dependencies /app/node_modules node_modules',
    '--from=build /app/LICENSE /app/package.json ./',
    '--from=build /app/prisma prisma',
    '--from=build /app/dist dist',
  ]);
});
