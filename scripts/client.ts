import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildApp } from '../src/app.js';
import { loadConfig } from '../src/config/index.js';

// openapi-typescript needs the JavaScript API of TypeScript 5, which later versions do not have, so npx installs both apart.
const packages = ['openapi-typescript@7.13.0', 'typescript@5.9.3'];

const directory = join(import.meta.dirname, '../client');
const documentFile = join(directory, 'openapi.json');
const schemaFile = join(directory, 'schema.ts');

// Nothing connects to this address before the service listens.
const app = buildApp(loadConfig({ DATABASE_URL: 'postgresql://127.0.0.1:1/none', LOG_LEVEL: 'silent' }));
await app.ready();
const document = `${JSON.stringify(app.swagger(), null, 1)}\n`;
await app.close();
writeFileSync(documentFile, document);

const args = ['--yes', ...packages.flatMap((name) => ['--package', name]), 'openapi-typescript', documentFile];
execFileSync('npx', [...args, '--output', schemaFile], { stdio: 'inherit' });
const digest = createHash('sha256').update(document).digest('hex');
writeFileSync(schemaFile, `// Of the document ${digest}: npm run client\n${readFileSync(schemaFile, 'utf8')}`);
