import type { BareRatios, BenchResults, Difference, Ratio, ServerName } from './results.js';

const titles: [ServerName, string][] = [
  ['straightforward', 'straightforward'],
  ['bare', 'bare Fastify'],
  ['storing', 'bare, storing rows'],
  ['base', 'bare, started as musicez'],
  ['authentication', '+ authentication'],
  ['limits', '+ authentication, limits'],
  ['log', '+ authentication, log'],
  ['musicez', 'musicez'],
  ['traced', 'musicez, with spans'],
  ['against', 'musicez in --against'],
];
const columns = ['', 'req/s', 'p50 ms', 'p99 ms', 'CPU µs/req', 'rows written', 'of answered', 'MB resident'];

/** @returns the table, the ratios and the targets as text */
export function report(results: BenchResults): string {
  const { load, cpu, ratios, optionalRatios, costs, limitCost } = results;
  const { storing, against } = optionalRatios;
  const rounds = results.servers.musicez.rounds.length;
  return [
    '',
    `musicez ${results.musicez}, Node.js ${results.node}, ${results.database}, ${cpu.count} × ${cpu.model}`,
    `Load from ${load.generator} ${load.version} with ${load.connections} connections; medians of ${rounds} × ${load.secondsPerRound} s`,
    ...caveats(results),
    '',
    ...table(results),
    '',
    ...toBare('musicez', ratios, results),
    ...(against ? toBare('--against', against, results) : []),
    ...(storing ? toBare('storing rows', storing, results) : []),
    ratioLine('musicez / straightforward', ratios.toStraightforward, 1),
    '',
    `authentication costs  ${cost(costs.authentication)}`,
    `limits cost           ${cost(costs.limits)}`,
    `the log costs         ${cost(costs.log)}`,
    `spans cost            ${cost(costs.spans)}`,
    `one limit in process  ${limitCost.one.toFixed(1).padStart(4)} µs of CPU a request`,
    `two limits in process ${limitCost.two.toFixed(1).padStart(4)} µs of CPU a request`,
    '',
    ...results.targets.map(({ outcome, target }) => `${outcome.padEnd(10)}  ${target}`),
    '',
  ].join('\n');
}

function toBare(name: string, { toBare, p99ToBare }: BareRatios, { load }: BenchResults): string[] {
  const throughput = ratioLine(`${name} / bare Fastify`, toBare, 2);
  // autocannon measures whole milliseconds.
  return load.generator === 'wrk' ? [throughput, ratioLine('  99th percentile', p99ToBare, 2)] : [throughput];
}

function ratioLine(title: string, { median, rounds }: Ratio, digits: number) {
  return `${title.padEnd(28)}${median.toFixed(digits)}   (rounds: ${list(rounds, digits)})`;
}

function caveats({ database, load }: BenchResults): string[] {
  const lines: string[] = [];
  if (database === 'embedded database') {
    lines.push(
      'No DATABASE_URL: these figures are for the embedded database, which shares process and CPU with its server.',
    );
  }
  if (load.generator === 'autocannon') {
    lines.push('wrk is not installed: autocannon uses more CPU itself, and measures whole milliseconds only.');
  }
  return lines;
}

function table({ servers, load }: BenchResults): string[] {
  const latency = (ms: number) => (load.generator === 'wrk' ? figure(ms, 2) : ms < 1 ? '< 1' : figure(ms, 0));
  const measured = titles.flatMap(([name, title]) => {
    const server = servers[name];
    return server === undefined ? [] : [{ title, ...server }];
  });
  const cells = measured.map(({ title, median, rows, residentBytes }) => [
    title,
    figure(median.requestsPerSecond, 0),
    latency(median.p50Ms),
    latency(median.p99Ms),
    figure(median.cpuMicrosecondsPerRequest, 1),
    rows ? figure(rows.written, 0) : 'none',
    rows ? figure(rows.answered, 0) : '',
    figure(residentBytes / 1e6, 0),
  ]);
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  return [columns, ...cells].map(line);
}

function figure(value: number, digits: number) {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function cost({ median, rounds }: Difference) {
  return `${median.toFixed(1).padStart(4)} µs of CPU a request   (rounds: ${list(rounds, 1)})`;
}

function list(values: readonly number[], digits: number) {
  return values.map((value) => value.toFixed(digits)).join(', ');
}
