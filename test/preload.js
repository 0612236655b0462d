// JavaScript, for node --import: what a test's process has before anything else.
import module from 'node:module';

// tap has a loader report each file that a test imports, in a thread of its own: almost half of what a test costs, and
// nobody asks for the report. The coverage does without.
const { register } = module;
module.register = (...call) => {
  if (!String(call[0]).includes('@tapjs/processinfo')) Reflect.apply(register, module, call);
};

// To count what runs halves its speed, so the busiest do without; what they run is covered by others.
const busiest = /\/(fuzz\/openapi|million-keys|delivery|kill|restarts|soak)\.test\.js$/;
if (busiest.test(process.argv[1] ?? '')) process.env._TAPJS_PROCESSINFO_COVERAGE_ = '0';

// What a test starts elsewhere has these options too, and would look for this file from there.
const { NODE_OPTIONS = '' } = process.env;
process.env.NODE_OPTIONS = NODE_OPTIONS.replace('./test/preload.js', import.meta.url);
