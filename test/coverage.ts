import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Report } from 'c8';

const minimumLinesPercent = 95;
const coverageDirectory = '.tap/coverage';

const report = new Report({
  reporter: ['text', 'json-summary'],
  tempDirectory: coverageDirectory,
  reportsDirectory: '.tap/report',
  all: true,
  src: [process.cwd()],
  include: ['src/**', 'plugins/**', 'routes/**'],
  // A browser runs the dashboard, and its build scripts are not part of the service. test/browser tests the result.
  exclude: ['plugins/prisma/generated/**', 'dashboard/**'],
  excludeNodeModules: true,
  // Apply the patterns after the source maps, to the TypeScript files.
  excludeAfterRemap: true,
});
await report.run();

const {
  lines: { pct: lines },
} = readJson('.tap/report/coverage-summary.json').total;
const ran = new Set(readdirSync('.tap/processinfo').map((file) => readJson(`.tap/processinfo/${file}`).externalID));
const all = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'));
const notRun = all.filter((file) => !ran.has(`dist-test/test/${file.replace('.ts', '.js')}`));

// From test/preload.js: test files were skipped because of TEST_DEADLINE.
const hadTime = !existsSync('.tap/no-time-left');
rmSync('.tap/no-time-left', { force: true });

console.log(
  `${lines} % of lines covered${hadTime ? '' : ', the minimum is not checked: there was no time for all tests'}`,
);
if (hadTime && notRun.length === 0 && lines < minimumLinesPercent) {
  console.error(`line coverage is below the minimum of ${minimumLinesPercent} %`);
  process.exitCode = 1;
}

function readJson(file: string) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
