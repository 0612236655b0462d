import t from 'tap';
import {
  type Entry,
  emptyList,
  type ListEvent,
  listAfter,
  type RequestList,
} from '../../dashboard/requests/request-list.js';

/** Ids sort by time, like request ids. */
const rowsOf = (...numbers: number[]) => numbers.map((n) => ({ id: String(n).padStart(5, '0') }) as Entry);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => to - 1 - i);
const numbersOf = (rows: Entry[] | undefined) => rows?.map(({ id }) => Number(id));
const after = (...events: ListEvent[]): RequestList => events.reduce(listAfter, emptyList);

const page: ListEvent = { type: 'newest', rows: rowsOf(12, 11, 10), hasOlder: true };
const streamed = (...numbers: number[]): ListEvent => ({ type: 'streamed', rows: rowsOf(...numbers), missed: 0 });

t.test('rows streamed while the first page loads are shown once, in order', async (t) => {
  const list = after(streamed(12, 13), page, streamed(15, 14));
  t.strictSame(numbersOf(list.rows), [15, 14, 13, 12, 11, 10]);
  t.equal(list.hasOlder, true);
});

t.test('older pages are appended without a gap', async (t) => {
  const list = after(page, { type: 'older', rows: rowsOf(9, 8), hasOlder: false });
  t.match({ ...list, rows: numbersOf(list.rows) }, { rows: [12, 11, 10, 9, 8], hasOlder: false });
});

t.test('reloading the newest page removes rows that may follow after a gap', async (t) => {
  const list = after(page, streamed(13), { type: 'newest', rows: rowsOf(99, 98), hasOlder: true });
  t.strictSame(numbersOf(list.rows), [99, 98]);
});

t.test('a streamed request that is not in the log yet keeps its position after a reload', async (t) => {
  const again: ListEvent = { type: 'newest', rows: rowsOf(14, 12, 11), hasOlder: true };
  t.strictSame(numbersOf(after(page, streamed(14), streamed(13), again).rows), [14, 13, 12, 11]);
});

t.test('while paused the rows do not change, and resuming adds the held rows', async (t) => {
  const again: ListEvent = { type: 'newest', rows: rowsOf(13, 12, 11), hasOlder: true };
  const paused = after(page, { type: 'paused' }, streamed(14), again, streamed(14, 13));
  t.strictSame(
    [numbersOf(paused.rows), numbersOf(paused.held)],
    [
      [12, 11, 10],
      [14, 13],
    ],
  );
  const resumed = listAfter(paused, { type: 'resumed' });
  t.strictSame([numbersOf(resumed.rows), resumed.held], [[14, 13, 12, 11, 10], []]);
});

t.test('each reason holds the rows back until the last one is gone', async (t) => {
  const held = after(page, { type: 'held' }, { type: 'paused' }, streamed(13), { type: 'released' });
  t.strictSame(numbersOf(held.rows), [12, 11, 10]);
  const older = after(page, { type: 'loading-older' }, { type: 'held' }, streamed(13), { type: 'released' });
  t.strictSame(numbersOf(older.rows), [12, 11, 10], 'new rows would push older pages out');
  t.strictSame(numbersOf(listAfter(held, { type: 'resumed' }).rows), [13, 12, 11, 10]);
});

t.test('a page that was loaded after a gap in the stream has what was missed', async (t) => {
  const missing = after(page, { type: 'streamed', rows: [], missed: 7 });
  t.equal(missing.missed, 7);
  t.equal(listAfter(missing, page).missed, 0);
});

t.test('a page left open keeps a bounded number of rows and counts those that it missed', async (t) => {
  const passing = after(page, streamed(...range(100, 500)));
  t.strictSame([passing.rows?.length, passing.rows?.at(0)?.id, passing.hasOlder], [50, '00499', true]);
  const paused = after(page, { type: 'paused' }, streamed(...range(100, 1_300)), {
    type: 'streamed',
    rows: [],
    missed: 7,
  });
  t.strictSame([paused.held.length, paused.missed], [1_000, 207]);
});
