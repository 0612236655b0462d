import { CommandError, parseCommandLine } from '../../src/cli/command-line.js';

const usage = `Usage: npm run soak [-- options]

Runs mixed load on a real process while keys are rotated and revoked and its own PostgreSQL is restarted. Then memory
must be stable, every response must have a row, and no handle may remain. Each check is printed with its value.

  --seconds N      duration (600)
  --per-second N   requests a second (200)
  --help

Example: npm run soak -- --seconds 120
`;

try {
  const { values } = parseCommandLine('npm run soak --', {
    options: {
      seconds: { type: 'string', default: '600' },
      'per-second': { type: 'string', default: '200' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) process.stdout.write(usage);
  else {
    Object.assign(process.env, {
      TEST_ON: 'postgres',
      SOAK_SECONDS: wholeNumber('--seconds', values.seconds),
      SOAK_PER_SECOND: wholeNumber('--per-second', values['per-second']),
    });
    await import('./soak.test.js');
  }
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  process.stderr.write(`soak: ${error.message}\n`);
  process.exitCode = 1;
}

function wholeNumber(name: string, text: string): string {
  if (/^[1-9]\d*$/.test(text)) return text;
  throw new CommandError(`${name} must be a whole number; not "${text}"`);
}
