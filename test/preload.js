// Loaded with `node --import` before each test file. JavaScript, because npm scripts name it before anything is compiled.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import v8 from 'node:v8';

// tap registers a loader that reports imported files from a thread. The loader takes almost half of a test's time, and coverage
// does not need it.
const { register } = module;
module.register = (...call) => {
  if (!String(call[0]).includes('@tapjs/processinfo')) Reflect.apply(register, module, call);
};

// Coverage slows a test down, so only tests in these directories collect it, except the slowest.
const isCovered = /\/test\/(clickhouse|plugins|routes|scripts|src)\//;
const isSlow = /\/(million-keys|delivery|kill|coherence|outage)\.test\.js$/;
const path = process.argv[1] ?? '';
const isTest = path.endsWith('.test.js');
if (isTest && (!isCovered.test(path) || isSlow.test(path))) process.env._TAPJS_PROCESSINFO_COVERAGE_ = '0';

// Processes that tests start in other directories inherit the option, so the path must be absolute.
const { NODE_OPTIONS = '' } = process.env;
process.env.NODE_OPTIONS = NODE_OPTIONS.replace('./test/preload.js', import.meta.url);

const longest =
  /\/(million-keys|kill|delivery|spool-faults|soak|crud-module|shell|demo|secrets|slow-clients|memory|fuzz\/openapi)\.test\.js$/;

// Loading the imports of a file takes more than a second, so a file that skips itself is skipped here.
/** @type {Record<string, string>} */
const skipReasons = {
  skipFileOnEmbedded: 'does not depend on the database: npm run test:postgres',
  requirePostgres: 'needs PostgreSQL: npm run test:postgres',
};
const [, marker] =
  isTest && process.env.TEST_ON !== 'postgres'
    ? (/^(skipFileOnEmbedded|requirePostgres)\(\);$/m.exec(readFileSync(path, 'utf8')) ?? [])
    : [];
const { TEST_DURATION, TEST_DEADLINE = Infinity } = process.env;
const hasTime = Date.now() / 1000 <= Number(TEST_DEADLINE);
const reason = !hasTime
  ? 'no time left on this machine: npm run test:postgres'
  : TEST_DURATION === 'short' && longest.test(path)
    ? 'takes too long on this machine: npm run test:postgres'
    : marker && skipReasons[marker];
if (isTest && reason) {
  if (!hasTime) {
    mkdirSync('.tap', { recursive: true });
    // For test/coverage.ts.
    writeFileSync('.tap/no-time-left', '');
  }
  process.stdout.write(`TAP version 14\n1..0 # ${reason}\n`);
  process.exit();
}

// Compiling optimized code takes longer than it saves in a test of a few seconds.
if (isTest && !/\/(million-keys|hot-path|any-bytes|memory|fuzz\/openapi)\.test\.js$/.test(path)) {
  v8.setFlagsFromString('--no-opt');
  v8.setFlagsFromString('--sparkplug');
}
