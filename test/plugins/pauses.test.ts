import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { visitWithPauses } from '../../plugins/pauses.js';
import { decode, encode, fileHead, scan } from '../../plugins/request-log/spool/format.js';
import { record } from './request-log/records.js';

const items = Array.from({ length: 2_000 }, (_, i) => i);

/** Makes each pause seem to last `ms`, in this test. */
function setPauseMs(t: Test, ms: number) {
  let now = 0;
  t.intercept(performance, 'now', {
    value: () => {
      now += ms;
      return now;
    },
  });
}

/** Counts the turns of the event loop while `work` runs. */
async function turnsDuring(work: () => Promise<unknown>, inEachTurn = () => {}) {
  let isDone = false;
  const done = work().finally(() => {
    isDone = true;
  });
  let turns = 0;
  while (!isDone) {
    await nextTurn();
    inEachTurn();
    turns++;
  }
  await done;
  return turns;
}

t.test('all items are visited in order, and other work runs between them', async (t) => {
  setPauseMs(t, 1);
  const visited: number[] = [];
  const seen = new Set<number>();
  await turnsDuring(
    () => visitWithPauses(items, (item, i) => visited.push(item + i)),
    () => seen.add(visited.length),
  );
  t.strictSame(
    visited,
    items.map((i) => 2 * i),
  );
  t.ok(seen.size >= 3, `other work ran after ${[...seen].join(', ')} items`);
});

t.test('few items are visited without a pause', async (t) => {
  let visited = 0;
  void visitWithPauses(items.slice(0, 100), () => visited++);
  t.equal(visited, 100);
});

t.test('after long pauses the other items are visited at once', async (t) => {
  setPauseMs(t, 25);
  const seen = new Set<number>();
  let visited = 0;
  await turnsDuring(
    () => visitWithPauses(items, () => visited++),
    () => seen.add(visited),
  );
  t.equal(visited, items.length);
  t.ok(seen.size <= 3, `other work ran after ${[...seen].join(', ')} items`);
});

t.test('rejects with the error that a visit throws', (t) =>
  t.rejects(
    visitWithPauses(items, (item) => {
      if (item === 1_000) throw new Error('at 1000');
    }),
    { message: 'at 1000' },
  ),
);

t.test('requests are handled while records are encoded for the spool, and decoded', async (t) => {
  setPauseMs(t, 1);
  const records = items.map((i) => record({ path: `/${i}` }));
  let encoded = Buffer.alloc(0);
  const encodeTurns = await turnsDuring(async () => {
    encoded = Buffer.concat([fileHead, await encode(records, true)]);
  });
  const { bodies } = scan(encoded);
  const turns = await turnsDuring(async () =>
    t.strictSame(await decode(bodies, 5_000), [{ id: records[0]?.id, records }]),
  );
  t.ok(Math.min(encodeTurns, turns) >= 3, `${encodeTurns} and ${turns} turns`);
});
