import t from 'tap';
import { count, difference, duration, percentile, rateFormat, share } from '../../dashboard/parts/numbers.js';

t.test('numbers have a unit that suits them', async (t) => {
  t.equal(rateFormat(12)(0.5), '0.5/s');
  t.equal(rateFormat(0.05)(0.05), '3/min');
  t.equal(rateFormat(0.005)(0.0048), '17.3 an hour');
  t.equal(duration(1_234), '1.23 s');
  t.equal(percentile(1_234), '1.2 s');
  t.equal(percentile(null), '–');
  t.equal(count(1_234_567), '1.23M');
  t.equal(share(1, 100_000), '<0.01%');
});

t.test('a difference is a percentage, or a factor when it is large', async (t) => {
  for (const [now, before, text] of [
    [112, 100, '+12%'],
    [88, 100, '-12%'],
    [100, 100, '±0%'],
    [5_000, 100, '×50'],
    [5, 0, 'none before'],
    [0, 0, '±0%'],
  ] as const)
    t.equal(difference(now, before), text);
});
