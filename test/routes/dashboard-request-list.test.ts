import t from 'tap';
import {
  type Entry,
  emptyList,
  type Happening,
  listAfter,
  type RequestList,
} from '../../routes/dashboard/page/requests/request-list.js';

/** Ids sort by time, as those of requests do. */
const rowsOf = (...numbers: number[]) => numbers.map((n) => ({ id: String(n).padStart(5, '0') }) as Entry);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => to - 1 - i);
const numbersOf = (rows: Entry[] | undefined) => rows?.map(({ id }) => Number(id));
const after = (...happenings: Happening[]): RequestList => happenings.reduce(listAfter, emptyList);

const page: Happening = { type: 'newest', rows: rowsOf(12, 11, 10), hasOlder: true };
const told = (...numbers: number[]): Happening => ({ type: 'told', rows: rowsOf(...numbers), missed: 0 });

t.test('what is told while the first page is read is shown once, at its place', async (t) => {
  const list = after({ type: 'asked anew' }, told(12, 13), page, told(15, 14));
  t.strictSame(numbersOf(list.rows), [15, 14, 13, 12, 11, 10]);
  t.equal(list.hasOlder, true);
});

t.test('older pages follow without a gap', async (t) => {
  const list = after(page, { type: 'older', rows: rowsOf(9, 8), hasOlder: false });
  t.match({ ...list, rows: numbersOf(list.rows) }, { rows: [12, 11, 10, 9, 8], hasOlder: false });
});

t.test('a newest page that is read again leaves nothing below it that may have a gap before it', async (t) => {
  const list = after(page, told(13), { type: 'newest', rows: rowsOf(99, 98), hasOlder: true });
  t.strictSame(numbersOf(list.rows), [99, 98]);
});

t.test('a slow request, told before it is in the log, keeps its place among quicker ones', async (t) => {
  const again: Happening = { type: 'newest', rows: rowsOf(14, 12, 11), hasOlder: true };
  t.strictSame(numbersOf(after(page, told(14), told(13), again).rows), [14, 13, 12, 11]);
});

t.test('paused, the rows stay as they are, and what came is there when they go on', async (t) => {
  const again: Happening = { type: 'newest', rows: rowsOf(13, 12, 11), hasOlder: true };
  const paused = after(page, { type: 'paused' }, told(14), again, told(14, 13));
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

t.test('another question keeps the rows until there is an answer, and mixes nothing into it', async (t) => {
  const waiting = after(page, { type: 'asked anew' }, told(20));
  t.strictSame([numbersOf(waiting.rows), waiting.isOutdated], [[12, 11, 10], true]);
  const answered = listAfter(waiting, { type: 'newest', rows: rowsOf(4), hasOlder: false });
  t.strictSame([numbersOf(answered.rows), answered.isOutdated], [[20, 4], false]);
});

t.test('a page left open keeps a bounded number of rows, and says how many it could not hold', async (t) => {
  const passing = after(page, told(...range(100, 500)));
  t.strictSame([passing.rows?.length, passing.rows?.at(0)?.id, passing.hasOlder], [50, '00499', true]);
  const paused = after(page, { type: 'paused' }, told(...range(100, 1_300)), { type: 'told', rows: [], missed: 7 });
  t.strictSame([paused.held.length, paused.missed], [1_000, 207]);
});
