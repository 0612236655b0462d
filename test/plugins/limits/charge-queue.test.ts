import pino from 'pino';
import t from 'tap';
import type { QuotaCharge } from '../../../plugins/limits/quota-counter.js';
import { sealed } from '../../../plugins/request-log/batch.js';
import { ChargeQueue } from '../../../plugins/request-log/stores/clickhouse/charges.js';
import { record } from '../request-log/records.js';

t.test('charges are settled once, also when their batch is sent again or the database fails', async (t) => {
  const charge = { kind: 'key', id: 'metered', start: 0, units: 1, replica: 'own' } satisfies QuotaCharge;
  const batches = [1, 2, 3].map((units) => sealed([record({ charges: [{ ...charge, units }] }), record()]));
  const settled: number[] = [];
  let onSettled = () => {};
  let failures = 0;
  const store = {
    async settle() {
      if (failures-- > 0) throw new Error('away');
      return [];
    },
  };
  const quotas = {
    settle(charges: readonly QuotaCharge[]) {
      settled.push(...charges.map(({ units }) => units));
      onSettled();
    },
  };
  const queue = new ChargeQueue(store, quotas, pino({ level: 'silent' }));
  const [first, second, third] = batches as [(typeof batches)[0], (typeof batches)[0], (typeof batches)[0]];
  for (let i = 0; i < 2; i++) t.equal(await queue.settle(first), true);
  t.strictSame(settled, [1]);
  failures = 2;
  const allSettled = new Promise<void>((resolve) => {
    onSettled = () => settled.length === 3 && resolve();
  });
  for (const batch of [second, second, third, third]) t.equal(await queue.settle(batch), false);
  await allSettled;
  t.strictSame(settled, [1, 2, 3]);
  t.equal(await queue.settle(second), true);
  t.equal(await queue.settle(sealed([record()])), true);
  const [stripped] = first.records.map((settled) => ({ ...settled, charges: [] }));
  const joined = sealed([stripped as (typeof first.records)[0], record({ charges: [{ ...charge, units: 4 }] })]);
  t.equal(await queue.settle(joined), true);
  t.strictSame(settled, [1, 2, 3, 4], 'charges behind a record whose charges were settled are settled');
  await queue.close();
  t.equal(settled.length, 4);
});
