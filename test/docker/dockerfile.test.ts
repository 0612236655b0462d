import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { freePort } from '../process.js';
import { root } from '../root.js';
import { contextOf, ignoreFileOf, readDockerfile } from './dockerfile.js';

skipFileOnEmbedded();

const instructions = readDockerfile();
const image = instructions.filter(({ stage }) => stage === undefined);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const copies = instructions.filter(({ keyword }) => keyword === 'COPY').map(({ rest }) => rest);

/** Returns the arguments of the image's only instruction with this keyword. */
function only(keyword: string): string {
  const [first, ...others] = image.filter((instruction) => instruction.keyword === keyword);
  if (!first || others.length > 0) throw new Error(`${others.length + (first ? 1 : 0)} times ${keyword}`);
  return first.rest;
}

t.test('the service is process 1 of the container, started without a shell or npm', async (t) => {
  t.strictSame(JSON.parse(only('ENTRYPOINT')), []);
  t.strictSame(JSON.parse(only('CMD')), [
    'node',
    '--use-largepages=silent',
    '--single-threaded-gc',
    'dist/src/server.js',
  ]);
  t.equal(manifest.scripts.start, JSON.parse(only('CMD')).join(' '));
});

t.test('the image runs as a numeric user that owns only the data volume', async (t) => {
  const [, user, group] = /^([1-9]\d*):([1-9]\d*)$/.exec(only('USER')) ?? [];
  const variables = Object.fromEntries(new URLSearchParams(only('ENV').replaceAll(' ', '&')));
  t.strictSame(variables, { NODE_ENV: 'production', DATA_DIR: only('VOLUME') });
  t.equal(only('RUN'), `install -d -m 700 -o ${user} -g ${group} ${variables.DATA_DIR}`);
  t.notMatch(copies, [/--chown/]);
});

t.test('the health check succeeds only when the service is ready', async (t) => {
  const [, test = ''] = /CMD (\[.*\])$/.exec(only('HEALTHCHECK')) ?? [];
  const [program, ...args]: string[] = JSON.parse(test);
  t.equal(program, 'node');
  const exitCode = (port: number | string) =>
    promisify(execFile)(process.execPath, args, { env: { PORT: `${port}` } }).then(
      () => 0,
      ({ code }) => code,
    );
  const app = await startApp(await createTestDatabase());
  await app.listen({ port: 0, host: '0.0.0.0' });
  const { port } = app.server.address() as AddressInfo;
  t.equal(await exitCode(port), 1, 'not ready yet');
  app.health.markWarm();
  t.equal(await exitCode(port), 0, 'ready');
  t.equal(await exitCode(await freePort()), 1, 'no service');
});

t.test('the exposed port and the port of the health check are the default port', async (t) => {
  const { port } = loadConfig({});
  t.equal(only('EXPOSE'), `${port}`);
  t.match(only('HEALTHCHECK'), `process.env.PORT || ${port}}`);
});

t.test('labels come from package.json and from the build arguments of the release', async (t) => {
  const label = Object.fromEntries(
    [...only('LABEL').matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  const { name, description, license } = manifest;
  const buildArguments = {
    version: `\${VERSION}`,
    source: `\${SOURCE}`,
    revision: `\${REVISION}`,
    created: `\${CREATED}`,
  };
  t.strictSame(label, { title: name, description, licenses: license, ...buildArguments });
  const workflow = readFileSync(join(root, '.github/workflows/publish.yml'), 'utf8');
  for (const { rest } of image.filter(({ keyword }) => keyword === 'ARG')) {
    t.match(workflow, `--build-arg "${rest.split('=')[0]}=`);
  }
});

t.test('the build context contains exactly the files that the build copies, without .env and .npmrc', async (t) => {
  const copied = contextOf();
  for (const path of copied) t.ok(existsSync(join(root, path)), path);
  const { included, patterns } = ignoreFileOf();
  t.strictSame(included.toSorted(), copied.toSorted());
  // The last pattern that matches a path decides.
  t.strictSame(patterns[0], '*');
  t.strictSame(patterns.slice(included.length + 1), ['plugins/prisma/generated', '**/.*']);
  t.notOk(included.some((path) => path.includes('*') || path.startsWith('.')));
});

t.test('the image copies files only from the build stages', async (t) => {
  const taken = image.filter(({ keyword }) => keyword === 'COPY').map(({ rest }) => rest);
  t.strictSame(taken, [
    '--from=dependencies /app/node_modules node_modules',
    '--from=build /app/LICENSE /app/package.json ./',
    '--from=build /app/prisma prisma',
    '--from=build /app/dist dist',
  ]);
});
