import type { RequestLogEntry } from '../../routes/request-log-fields.js';
import type { Wire } from '../api.js';

export type Entry = Wire<RequestLogEntry>;

/** The shown requests, newest first and without gaps, and those that are held back. */
export interface RequestList {
  /** Undefined until the first page is loaded. */
  rows: Entry[] | undefined;
  hasOlder: boolean;
  /** Whether the user has paused the updates. */
  isPaused: boolean;
  /** Whether older pages are loaded, which new requests would push out of the list. */
  hasLoadedOlder: boolean;
  /** Whether new requests are held back, so that rows do not move under the pointer. */
  isHeld: boolean;
  /** Streamed while the list stays as it is, or before the first page was loaded. */
  held: Entry[];
  /** Events that were dropped because this page or the service was too slow. */
  missed: number;
}

export type ListEvent =
  | { type: 'newest'; rows: Entry[]; hasOlder: boolean }
  | { type: 'older'; rows: Entry[]; hasOlder: boolean }
  | { type: 'streamed'; rows: Entry[]; missed: number }
  | { type: 'paused' | 'unpaused' | 'resumed' | 'held' | 'released' | 'shown' | 'loading-older' };

export const emptyList: RequestList = {
  rows: undefined,
  hasOlder: false,
  isPaused: false,
  hasLoadedOlder: false,
  isHeld: false,
  held: [],
  missed: 0,
};

/** The largest number of rows while live. */
const maxLiveRows = 50;
const maxHeld = 1_000;

export function listAfter(list: RequestList, event: ListEvent): RequestList {
  switch (event.type) {
    case 'newest':
      return withNewest(list, event);
    case 'older':
      return { ...list, rows: merged(list.rows ?? [], event.rows), hasOlder: event.hasOlder };
    case 'streamed': {
      const missed = list.missed + event.missed;
      if (list.rows && !isStill(list)) return withNewer({ ...list, missed }, event.rows);
      return withHeld({ ...list, missed }, event.rows);
    }
    case 'paused':
      return { ...list, isPaused: true };
    case 'loading-older':
      return { ...list, hasLoadedOlder: true };
    case 'held':
      return { ...list, isHeld: true };
    case 'unpaused':
      return released({ ...list, isPaused: false });
    case 'shown':
      return withNewer({ ...list, held: [] }, list.held);
    case 'resumed':
      return released({ ...list, isPaused: false, hasLoadedOlder: false });
    case 'released':
      return released({ ...list, isHeld: false });
  }
}

/** Whether the list stays as it is, and new requests are held back. In an empty list, nothing can move under the pointer. */
export const isStill = ({ isPaused, hasLoadedOlder, isHeld, rows = [] }: RequestList) =>
  isPaused || hasLoadedOlder || (isHeld && rows.length > 0);

function released(list: RequestList): RequestList {
  return isStill(list) ? list : withNewer({ ...list, held: [] }, list.held);
}

function withNewest(list: RequestList, { rows, hasOlder }: Extract<ListEvent, { type: 'newest' }>): RequestList {
  if (isStill(list) && list.rows) {
    const shown = list.rows[0]?.id ?? '';
    return withHeld(
      list,
      rows.filter(({ id }) => id > shown),
    );
  }
  // A slow request is streamed after faster ones that arrived later. Rows older than the page are dropped: some may be missing
  // between them and the page.
  const oldest = rows.at(-1)?.id ?? '';
  const streamed = [...list.held, ...(list.rows ?? [])].filter(({ id }) => id > oldest);
  // The page has what the stream missed.
  return withNewer({ ...list, rows, hasOlder, held: [], missed: 0 }, streamed);
}

function withHeld(list: RequestList, newer: Entry[]): RequestList {
  const held = merged(newer, list.held);
  return { ...list, held: held.slice(0, maxHeld), missed: list.missed + Math.max(0, held.length - maxHeld) };
}

function withNewer(list: RequestList, newer: Entry[]): RequestList {
  if (newer.length === 0) return list;
  const rows = merged(newer, list.rows ?? []);
  return { ...list, rows: rows.slice(0, maxLiveRows), hasOlder: list.hasOlder || rows.length > maxLiveRows };
}

/** Ids start with the time. */
function merged(some: Entry[], others: Entry[]): Entry[] {
  const byId = new Map([...others, ...some].map((entry) => [entry.id, entry]));
  return [...byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
}
