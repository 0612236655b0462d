import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { build } from 'esbuild';

// `npm run build:page`: bundles the dashboard into dist/dashboard, each file also compressed.

const page = import.meta.dirname;
const outdir = join(page, '../dist/dashboard');

const { outputFiles } = await build({
  entryPoints: [join(page, 'main.tsx'), join(page, 'styles/main.css')],
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome111', 'firefox113', 'safari16.4'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  outdir,
  write: false,
});
const assets = new Map(outputFiles.map(({ path, contents }) => [path.slice(outdir.length + 1), contents]));
const icon = await readFile(join(page, 'icon.svg'));
assets.set('icon.svg', icon);

const template = await readFile(join(page, 'index.html'), 'utf8');
const html = template.replace(/main\.(js|css)/g, (_name, kind) => {
  const built = [...assets.keys()].find((name) => name.startsWith('main-') && name.endsWith(`.${kind}`));
  if (built === undefined) throw new Error(`there is no main.${kind}`);
  return built;
});

await mkdir(outdir, { recursive: true });
const written = new Set<string>();
for (const [name, contents] of assets) await writeWithCompressed(name, contents);
// Last, so that a running service never sends a page whose files do not exist.
await writeWithCompressed('index.html', Buffer.from(html));
for (const name of await readdir(outdir)) if (!written.has(name)) await rm(join(outdir, name), { recursive: true });

async function writeWithCompressed(name: string, contents: Uint8Array) {
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(contents, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: contents.length } }),
    promisify(gzip)(contents, { level: 9 }),
  ]);
  for (const [suffix, bytes] of Object.entries({ '': contents, '.br': br, '.gz': gz })) {
    written.add(name + suffix);
    await writeFile(join(outdir, name + suffix), bytes);
  }
}
