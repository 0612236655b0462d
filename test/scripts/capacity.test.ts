import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseOptions } from '../../scripts/capacity/options.js';
import { type Plan, plan } from '../../scripts/capacity/plan.js';
import { skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';

skipFileOnEmbedded();

const page = readFileSync(join(root, 'docs/scaling.md'), 'utf8');
const npm = { cwd: root, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;

function planOf(...args: string[]): Plan {
  const options = parseOptions(args);
  if (options === undefined) throw new Error('no plan');
  return plan(options.inputs, options.store);
}

const valuesOf = (plan: Plan) =>
  Object.fromEntries(
    Object.entries(plan).flatMap(([name, figure]) =>
      figure ? [[name, Math.round(figure.value * 1_000) / 1_000]] : [],
    ),
  );

t.test('the figures match the formulas', async (t) => {
  const given = {
    'requests-per-second': 1_000,
    'average-requests-per-second': 100,
    'retention-days': 9,
    'stats-retention-days': 100,
    routes: 10,
    keys: 20,
    'cpu-microseconds': 1_000,
    utilisation: 0.5,
    spare: 1,
    'rows-per-second': 1_000,
    standbys: 1,
    'row-bytes': 250,
    'stats-row-bytes': 400,
    'key-stats-row-bytes': 300,
    headroom: 2,
    'price-vcpu-month': 10,
    'price-gb-month': 0.1,
  };
  t.strictSame(valuesOf(planOf(...Object.entries(given).map(([name, value]) => `--${name}=${value}`))), {
    perReplica: 500,
    replicas: 3,
    connections: 61, // 5 × 11 + 6
    databaseProcessors: 3,
    rowsPerDay: 8_640_000,
    partitions: 18,
    logGb: 21.6, // ten days
    statsRowsPerDay: 43_950, // 1,465 × 30
    statsGb: 0.169, // 10,000 bytes a period × (14,400 + 2,500)
    diskGb: 43.538,
    processors: 9,
    storedGb: 90.298, // 2 × 43.538 + 3 × 1.074
    costPerMonth: 99.03,
  });
});

t.test('with ClickHouse, the log is smaller, and PostgreSQL needs no more processors with more traffic', async (t) => {
  const [small, large] = [10, 100_000].map((rate) =>
    valuesOf(planOf(`--requests-per-second=${rate}`, '--store=clickhouse')),
  );
  t.match([small?.keyProcessors, large?.keyProcessors], [2, 2]);
  t.ok((large?.clickHouseProcessors ?? 0) > (small?.clickHouseProcessors ?? 0));
  t.ok((large?.logGb ?? 0) * 10 < (valuesOf(planOf('--requests-per-second=100000')).logGb ?? 0));
  t.throws(() => parseOptions(['--requests-per-second=1', '--store=disk']), { message: /^--store must be / });
});

t.test('more traffic never needs less of any resource', async (t) => {
  let before = valuesOf(planOf('--requests-per-second=1'));
  for (const rate of [10, 1_000, 5_000, 40_000, 100_000, 1e6, 1e9]) {
    const after = valuesOf(planOf(`--requests-per-second=${rate}`));
    for (const [name, value] of Object.entries(after)) t.ok(value >= (before[name] as number), `${name} at ${rate}`);
    t.ok((after.costPerMonth as number) > (before.costPerMonth as number), `cost at ${rate}`);
    before = after;
  }
});

t.test('an invalid option is reported by name', async (t) => {
  const required = '--requests-per-second=1';
  t.throws(() => parseOptions([]), { message: /^--requests-per-second is required/ });
  t.throws(() => parseOptions(['--requests-per-second=5k']), {
    message: /^--requests-per-second must be .* not "5k"$/,
  });
  t.throws(() => parseOptions(['--requests-per-second=']), { message: /^--requests-per-second must be / });
  t.throws(() => parseOptions([required, '--retention-days=0']), {
    message: /^--retention-days must be a whole number/,
  });
  t.throws(() => parseOptions([required, '--keys=1.5']), { message: /^--keys must be a whole number/ });
  t.throws(() => parseOptions([required, '--utilisation=1.1']), {
    message: /^--utilisation must be .* from 0.05 to 1,/,
  });
  t.throws(() => parseOptions([required, '--average-requests-per-second=2']), { message: /^--average-requests-per/ });
  t.throws(() => parseOptions([required, '--rps=2']), { message: /'--rps'/ });
  t.equal(parseOptions(['--help']), undefined);
});

t.test('the command prints the formulas with their values, JSON, help, or one line for an error', async (t) => {
  const run = (...args: string[]) => execFileSync('npm', ['run', '--silent', 'capacity', '--', ...args], npm);
  const [, command = '', output] = /```sh\nnpm run capacity -- (.+)\n```\n\n```\n([^`]+)```/.exec(page) ?? [];
  t.equal(run(...command.split(' ')), output, 'the output is the same as in docs/scaling.md');
  t.match(JSON.parse(run('--requests-per-second', '5000', '--json')), { figures: { replicas: { value: 2 } } });
  t.match(run('--help'), /^Example: npm run capacity -- --requests-per-second 5000 --retention-days 30$/m);
  const { status, stderr } = spawnSync('npm', ['run', '--silent', 'capacity', '--', '--keys', 'x'], npm);
  t.equal(status, 1);
  t.match(stderr, /^capacity: --requests-per-second is required.*\n$/);
});
