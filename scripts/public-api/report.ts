import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { packageRoot } from '../../src/config/index.js';

/** The entries of the package. That of the client is described by `client/openapi.json`. */
const entries = { musicez: 'src/index', plugins: 'plugins/index', testing: 'src/testing' };

/**
 * Describes the exports of the built package, with their types.
 *
 * @returns the text of each report by the name of its entry
 */
export function exportReports(): Record<string, string> {
  const directory = mkdtempSync(join(tmpdir(), 'musicez-api-'));
  try {
    return Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, reportOf(name, file, directory)]));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function reportOf(name: string, file: string, directory: string) {
  const entry = join(packageRoot, 'dist', `${file}.d.ts`);
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
      apiReport: { enabled: true, reportFileName: name, reportFolder: directory, reportTempFolder: directory },
      docModel: { enabled: false },
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
