// Writes what is public into docs/api. A test compares it with the code, so that no change of it is unseen.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/config/index.js';
import { startTestService } from '../../src/testing.js';
import { exportReports } from './report.js';
import { surfaceOf } from './surface.js';

const directory = join(packageRoot, 'docs/api');
for (const [name, text] of Object.entries(exportReports())) writeFileSync(join(directory, name), text);
const { app, close } = await startTestService();
writeFileSync(join(directory, 'surface.json'), `${JSON.stringify(await surfaceOf(app), null, 2)}\n`);
await close();
