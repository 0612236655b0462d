import { CommandError } from '../../src/cli/command-line.js';
import { parseOptions, usage } from './options.js';
import { plan } from './plan.js';
import { report } from './report.js';

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(usage);
  } else {
    const { inputs, store, json } = options;
    const figures = plan(inputs, store);
    process.stdout.write(
      json
        ? `${JSON.stringify({ inputs, store, figures }, null, 2)}\n`
        : report(figures, inputs['requests-per-second']),
    );
  }
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  process.stderr.write(`capacity: ${error.message}\n`);
  process.exitCode = 1;
}
