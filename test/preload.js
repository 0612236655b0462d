// Loaded with `node --import` before each test file. JavaScript, because npm scripts name it before anything is compiled.
import { readFileSync } from 'node:fs';
import module from 'node:module';

// tap registers a loader that reports imported files from a thread. The loader takes almost half of a test's time, and coverage
// does not need it.
const { register } = module;
module.register = (...call) => {
  if (!String(call[0]).includes('@tapjs/processinfo')) Reflect.apply(register, module, call);
};

// Coverage slows a test down, so only tests in these directories collect it, except the slowest.
const isCovered = /\/test\/(plugins|routes|scripts|src)\//;
const isSlow = /\/(million-keys|delivery|kill|coherence|outage)\.test\.js$/;
const path = process.argv[1] ?? '';
const isTest = path.endsWith('.test.js');
if (isTest && (!isCovered.test(path) || isSlow.test(path))) process.env._TAPJS_PROCESSINFO_COVERAGE_ = '0';

// Processes that tests start in other directories inherit the option, so the path must be absolute.
const { NODE_OPTIONS = '' } = process.env;
process.env.NODE_OPTIONS = NODE_OPTIONS.replace('./test/preload.js', import.meta.url);

// A file that calls skipFileOnEmbedded() skips itself only after its imports, which take more than a second. Skip it here, before them.
if (isTest && process.env.TEST_ON !== 'postgres' && readFileSync(path, 'utf8').includes('\nskipFileOnEmbedded();')) {
  process.stdout.write('TAP version 14\n1..0 # does not depend on the database: npm run test:postgres\n');
  process.exit();
}
