// Sends PER_SECOND requests a second with KEY to URL over CONNECTIONS keep-alive connections until SIGTERM. Then prints
// the failures and the id of each response. A separate process, because the test process would delay the requests.
import { steadyLoad } from '../plugins/request-log/steady-load.js';

const { URL: url = '', KEY: key = '', PER_SECOND, CONNECTIONS } = process.env;

/** The output, as JSON. */
export interface ClientsReport {
  failures: string[];
  ids: string[];
  longestMs: number;
}

const load = steadyLoad({ teardown() {} }, url, { 'x-api-key': key }, Number(PER_SECOND), Number(CONNECTIONS));
process.once('SIGTERM', async () => {
  await load.stop();
  const failed = load.responses.filter(({ status }) => status !== 200);
  const report: ClientsReport = {
    failures: [...load.failures, ...failed.map(({ id, problem }) => `${id} ${problem}`)],
    ids: load.responses.map(({ id }) => id),
    longestMs: load.responses.reduce((longest, { tookMs }) => Math.max(longest, tookMs), 0),
  };
  process.stdout.write(JSON.stringify(report));
});
