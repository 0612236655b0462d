import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { digestOf } from './digest.js';

// openapi-typescript needs the JavaScript API of TypeScript 5, which later versions do not have, so npx installs both apart.
const packages = ['openapi-typescript@7.13.0', 'typescript@5.9.3'];

const directory = join(import.meta.dirname, '../../client');
const documentFile = join(directory, 'openapi.json');
const schemaFile = join(directory, 'schema.ts');

// No database answers there, which does not matter: only the routes are needed.
const app = buildApp(loadConfig({ DATABASE_URL: 'postgresql://127.0.0.1:1/none', LOG_LEVEL: 'silent' }));
await app.ready();
const document = app.swagger();
await app.close();
writeFileSync(documentFile, `${JSON.stringify(document, null, 1)}\n`);

const args = ['--yes', ...packages.flatMap((name) => ['--package', name]), 'openapi-typescript', documentFile];
execFileSync('npx', [...args, '--output', schemaFile], { stdio: 'inherit' });
writeFileSync(
  schemaFile,
  `// Of the document ${digestOf(document)}: npm run client\n${readFileSync(schemaFile, 'utf8')}`,
);
