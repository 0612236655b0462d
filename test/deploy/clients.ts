// Asks URL with KEY, PER_SECOND times a second over CONNECTIONS that are kept, until SIGTERM; then prints what failed and the
// id of each answer. A process of its own: the tests' would be the first to be late.
import { steadyLoad } from '../plugins/request-log/steady-load.js';

const { URL: url = '', KEY: key = '', PER_SECOND, CONNECTIONS } = process.env;

/** What it prints, as JSON. */
export interface ClientsReport {
  failures: string[];
  ids: string[];
  longestMs: number;
}

const load = steadyLoad({ teardown() {} }, url, { 'x-api-key': key }, Number(PER_SECOND), Number(CONNECTIONS));
process.once('SIGTERM', async () => {
  await load.stop();
  const refused = load.answers.filter(({ status }) => status !== 200);
  const report: ClientsReport = {
    failures: [...load.failures, ...refused.map(({ id, problem }) => `${id} ${problem}`)],
    ids: load.answers.map(({ id }) => id),
    longestMs: load.answers.reduce((longest, { tookMs }) => Math.max(longest, tookMs), 0),
  };
  process.stdout.write(JSON.stringify(report));
});
