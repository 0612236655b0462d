import { readdirSync, readFileSync } from 'node:fs';
import { Report } from 'c8';

const minimumLinesPercent = 95;
const gathered = '.tap/coverage';

const report = new Report({
  reporter: ['text', 'json-summary'],
  tempDirectory: gathered,
  reportsDirectory: '.tap/report',
  all: true,
  src: [process.cwd()],
  include: ['src/**', 'plugins/**', 'routes/**'],
  // A browser runs the page, and what builds it is no part of the service: test/browser holds what they do.
  exclude: ['plugins/prisma/generated/**', 'routes/dashboard/page/**', 'routes/dashboard/build.ts'],
  excludeNodeModules: true,
  // What is compiled counts for what it was compiled from.
  excludeAfterRemap: true,
});
await report.run();

const {
  lines: { pct: lines },
} = readJson('.tap/report/coverage-summary.json').total;
const ran = new Set(readdirSync('.tap/processinfo').map((file) => readJson(`.tap/processinfo/${file}`).externalID));
const all = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'));
const missing = all.filter((file) => !ran.has(`dist-test/test/${file.replace('.ts', '.js')}`));

console.log(`${lines} % of lines covered`);
if (missing.length === 0 && lines < minimumLinesPercent) {
  console.error(`that is less than ${minimumLinesPercent} %`);
  process.exitCode = 1;
}

function readJson(file: string) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
