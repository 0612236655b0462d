import { effect } from '@preact/signals';
import { currentKey, session } from '../session.js';
import { emptyList, type RequestList } from './request-list.js';

const maxLists = 20;

let keptFor: string | null = null;
/** The lists that the user has left, by their queries. */
const lists = new Map<string, RequestList>();

// The next user may not be allowed to see them.
effect(() => {
  if (session.value.key !== keptFor) lists.clear();
  keptFor = session.value.key;
});

/** Keeps a list, so that it is as before when the user goes back to it. */
export function keepList(queryKey: string, list: RequestList) {
  if (currentKey() === null) return;
  lists.delete(queryKey);
  lists.set(queryKey, { ...list, isHeld: false });
  if (lists.size > maxLists) lists.delete([...lists.keys()][0] ?? '');
}

/** @returns the list that was left, or an empty one */
export function listFor(queryKey: string, isPaused: boolean): RequestList {
  return { ...(lists.get(queryKey) ?? emptyList), isPaused };
}
