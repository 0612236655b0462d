import { Histogram, Registry } from 'prom-client';
import t from 'tap';
import { registerHistogram } from '../../plugins/metrics/histogram.js';

t.test('a histogram has the same text and values as that of prom-client', async (t) => {
  const description = { name: 'seconds', help: 'Seconds', buckets: [0.005, 0.1, 1, 10] };
  const [expected, found] = [new Registry(), new Registry()];
  const histogram = new Histogram({ ...description, labelNames: ['route', 'status'], registers: [expected] });
  let scrapes = 0;
  const createSeries = registerHistogram(found, { ...description, collect: () => scrapes++ });
  for (const labels of [
    { route: '/a"b\\', status: 200 },
    { route: '', status: 500 },
  ]) {
    const series = createSeries(labels);
    for (const value of [0, 0.004, 0.005, 0.0051, 0.1, 0.5, 1, 9.99, 10, 11, 86_400]) {
      histogram.observe(labels, value);
      series.observe(value);
    }
  }
  t.equal(await found.metrics(), await expected.metrics());
  t.equal(scrapes, 1);
  const [json] = (await found.getMetricsAsJSON()) as unknown as { values: object[] }[];
  t.match(json, { name: 'seconds', type: 'histogram', values: [{ labels: { le: 0.005 }, value: 3 }] });
  found.resetMetrics();
  t.notMatch(await found.metrics(), 'seconds_count');
});
