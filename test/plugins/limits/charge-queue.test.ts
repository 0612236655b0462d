import pino from 'pino';
import t from 'tap';
import type { QuotaCharge } from '../../../plugins/limits/quota-counter.js';
import { sealed } from '../../../plugins/request-log/batch.js';
import { ChargeQueue } from '../../../plugins/request-log/stores/clickhouse/charges.js';
import { record } from '../request-log/records.js';

const charge = { kind: 'key', id: 'metered', start: 0, units: 1, replica: 'own' } satisfies QuotaCharge;

t.test('charges are settled once, also when their batch is sent again or the database fails', async (t) => {
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
  for (let i = 0; i < 2; i++) await queue.settle(first);
  t.strictSame(settled, [1]);
  failures = 2;
  const allSettled = new Promise<void>((resolve) => {
    onSettled = () => settled.length === 3 && resolve();
  });
  for (const batch of [second, second, third, third]) await queue.settle(batch);
  t.strictSame(settled, [1], 'batches wait while the database fails');
  await allSettled;
  t.strictSame(settled, [1, 2, 3]);
  for (const batch of [second, sealed([record()])]) await queue.settle(batch);
  await queue.close();
  t.equal(settled.length, 3);
});

t.test('closing waits for charges that are being settled', async (t) => {
  const settled: QuotaCharge[] = [];
  const store = { settle: () => new Promise<[]>((resolve) => setImmediate(resolve, [])) };
  const quotas = { settle: (charges: readonly QuotaCharge[]) => settled.push(...charges) };
  const queue = new ChargeQueue(store, quotas, pino({ level: 'silent' }));
  void queue.settle(sealed([record({ charges: [charge] })]));
  await queue.close();
  t.equal(settled.length, 1);
});

t.test(
  'too many charges that wait are dropped, oldest first, and settled when their batch is sent again',
  async (t) => {
    const settled: string[] = [];
    let onSettled = () => {};
    let isDown = true;
    const store = {
      async settle(id: string) {
        if (isDown) throw new Error('away');
        settled.push(id);
        onSettled();
        return [];
      },
    };
    const queue = new ChargeQueue(store, { settle() {} }, pino({ level: 'silent' }));
    const charges = Array.from({ length: 80_000 }, () => charge);
    const batches = [1, 2, 3].map(() => sealed([record({ charges })]));
    for (const batch of batches) await queue.settle(batch);
    const waitingSettled = new Promise<void>((resolve) => {
      onSettled = () => settled.length === 2 && resolve();
    });
    isDown = false;
    await waitingSettled;
    for (const batch of batches) await queue.settle(batch);
    await queue.close();
    const [first, second, third] = batches.map(({ id }) => id);
    t.strictSame(settled, [second, third, first]);
  },
);
