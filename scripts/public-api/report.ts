import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { packageRoot } from '../../src/config/index.js';

const dist = join(packageRoot, 'dist');

interface Entry {
  name: string;
  file: string;
  /** Whether to describe types that are used but not exported. Not for the plugins, which use all of Prisma's client. */
  includesUsedTypes: boolean;
}

/** The entries of the package, without `musicez/client`, whose routes are in client/openapi.json. */
const entries: readonly Entry[] = [
  { name: 'musicez', file: 'src/index', includesUsedTypes: true },
  { name: 'plugins', file: 'plugins/index', includesUsedTypes: false },
  { name: 'testing', file: 'src/testing', includesUsedTypes: true },
];

/**
 * Describes the exports of the built package, with their types, and what it adds to the types of Fastify.
 *
 * @returns the text of each report by the name of its file
 */
export function exportReports(): Record<string, string> {
  const directory = mkdtempSync(join(tmpdir(), 'musicez-api-'));
  try {
    const reports = entries.map((entry) => [`${entry.name}.api.md`, reportOf(entry, directory)]);
    return { ...Object.fromEntries(reports), 'fastify.api.md': fastifyReport() };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function reportOf({ name, file, includesUsedTypes }: Entry, directory: string) {
  const entry = join(dist, `${file}.d.ts`);
  const silent = { default: { logLevel: ExtractorLogLevel.None } };
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: packageRoot,
      mainEntryPointFilePath: entry,
      compiler: {
        overrideTsconfig: {
          compilerOptions: { module: 'nodenext', target: 'es2023', skipLibCheck: true, types: ['node'] },
          files: [entry],
        },
      },
      apiReport: {
        enabled: true,
        includeForgottenExports: includesUsedTypes,
        reportFileName: name,
        reportFolder: directory,
        reportTempFolder: directory,
      },
      docModel: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: silent,
        extractorMessageReporting: silent,
        tsdocMessageReporting: silent,
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(packageRoot, 'package.json'),
  });
  Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message) => {
      message.handled = true;
    },
  });
  return readFileSync(join(directory, `${name}.api.md`), 'utf8');
}

/** The additions to the types of Fastify, such as `app.requireApiKey`, which API Extractor leaves out. */
function fastifyReport() {
  const blocks = readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^(plugins|routes|src)\/.*\.d\.ts$/.test(name))
    .toSorted()
    .flatMap(
      (name) => readFileSync(join(dist, name), 'utf8').match(/^declare module 'fastify' \{\n[\s\S]*?^\}/gm) ?? [],
    )
    .map((block) => block.replaceAll(/^ *\/\*\*[\s\S]*?\*\/\n/gm, ''));
  return `## Additions to the types of Fastify\n\n\`\`\`ts\n${blocks.join('\n\n')}\n\`\`\`\n`;
}
