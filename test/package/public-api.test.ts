import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { exportReports } from '../../scripts/public-api/report.js';
import { surfaceOf } from '../../scripts/public-api/surface.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';

skipFileOnEmbedded();

const recorded = (file: string) => readFileSync(join(root, 'docs/api', file), 'utf8');
const remedy = 'if the change is intended: npm run public-api, and see docs/upgrade.md';

t.test('the exports of the package are the recorded ones', async (t) => {
  for (const [name, text] of Object.entries(exportReports())) t.equal(text, recorded(name), remedy);
});

t.test('commands, variables, tables and metrics are the recorded ones', async (t) => {
  const app = await startApp(await createTestDatabase());
  t.strictSame(JSON.parse(JSON.stringify(await surfaceOf(app))), JSON.parse(recorded('surface.json')), remedy);
});
