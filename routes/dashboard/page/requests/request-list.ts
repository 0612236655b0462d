import type { RequestLogEntry } from '../../../request-log-fields.js';
import type { Wire } from '../api.js';

export type Entry = Wire<RequestLogEntry>;

/** Requests without a gap between any two, newest first, and those that wait to be shown. */
export interface RequestList {
  /** Undefined until the first page has come. */
  rows: Entry[] | undefined;
  /** Whether the rows are of what was asked for before. */
  isOutdated: boolean;
  hasOlder: boolean;
  isPaused: boolean;
  /** Came while paused, or before the page that they belong to. */
  held: Entry[];
  /** Were told to nobody: this page, or the service, could not keep up. */
  missed: number;
}

export type Happening =
  | { type: 'asked anew' }
  | { type: 'newest'; rows: Entry[]; hasOlder: boolean }
  | { type: 'older'; rows: Entry[]; hasOlder: boolean }
  | { type: 'told'; rows: Entry[]; missed: number }
  | { type: 'paused' | 'resumed' };

export const emptyList: RequestList = {
  rows: undefined,
  isOutdated: false,
  hasOlder: false,
  isPaused: false,
  held: [],
  missed: 0,
};

/** More are not looked at while they pass by. */
const shownLive = 50;
const heldAtMost = 1_000;

export function listAfter(list: RequestList, happening: Happening): RequestList {
  switch (happening.type) {
    case 'asked anew':
      return { ...emptyList, rows: list.rows, isOutdated: true };
    case 'newest':
      return withNewest(list, happening);
    case 'older':
      return { ...list, rows: merged(list.rows ?? [], happening.rows), hasOlder: happening.hasOlder };
    case 'told': {
      const missed = list.missed + happening.missed;
      if (!list.isPaused && !list.isOutdated) return withNewer({ ...list, missed }, happening.rows);
      return holding({ ...list, missed }, happening.rows);
    }
    case 'paused':
      return { ...list, isPaused: true };
    case 'resumed':
      return withNewer({ ...list, isPaused: false, held: [] }, list.held);
  }
}

function withNewest(list: RequestList, { rows, hasOlder }: Extract<Happening, { type: 'newest' }>): RequestList {
  const known = list.isOutdated ? undefined : list.rows;
  if (list.isPaused && known) {
    const shown = known[0]?.id ?? '';
    const unseen = rows.filter(({ id }) => id > shown);
    return holding(list, unseen);
  }
  // Told of before it was in the log, where a slow request's place is below quicker ones. What is older than the page goes:
  // there may be a gap before it.
  const oldest = rows.at(-1)?.id ?? '';
  const told = [...list.held, ...(known ?? [])].filter(({ id }) => id > oldest);
  return withNewer({ ...list, rows, isOutdated: false, hasOlder, held: [] }, told);
}

function holding(list: RequestList, newer: Entry[]): RequestList {
  const held = merged(newer, list.held);
  return { ...list, held: held.slice(0, heldAtMost), missed: list.missed + Math.max(0, held.length - heldAtMost) };
}

function withNewer(list: RequestList, newer: Entry[]): RequestList {
  if (newer.length === 0) return list;
  const rows = merged(newer, list.rows ?? []);
  return { ...list, rows: rows.slice(0, shownLive), hasOlder: list.hasOlder || rows.length > shownLive };
}

/** Ids begin with the time. */
function merged(some: Entry[], others: Entry[]): Entry[] {
  const byId = new Map([...others, ...some].map((entry) => [entry.id, entry]));
  return [...byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
}
