import { CommandError, parseCommandLine } from '../../src/cli/command-line.js';

const usage = `Usage: npm run soak [-- options]

Mixed load on a real process while keys are rotated and revoked and its PostgreSQL, one of its own, is restarted. Then memory
must be flat, every answer must have its row, and no handle may be left: each check is printed with its figure.

  --seconds N      how long (600)
  --per-second N   requests (200)
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
  throw new CommandError(`${name} takes a whole number; not "${text}"`);
}
