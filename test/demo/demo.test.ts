import t from 'tap';
import { skipFileOnEmbedded } from '../database.js';
import { run } from '../process.js';

skipFileOnEmbedded();
t.setTimeout(100_000);

t.test('the demo stops in time, without a failed request, and reports that it removed its data', async (t) => {
  const demo = run('demo/index.ts', ['--minutes', '0.02'], {});
  t.equal(await demo.exited, 0, demo.stderr());
  t.match(demo.stdout(), /[1-9][\d,]* requests were answered, 0 were not\. All data of the demo is removed\.\n$/);
});
