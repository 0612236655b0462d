import { effect } from '@preact/signals';
import { session } from '../session.js';
import { emptyList, type RequestList } from './request-list.js';

const maxLists = 20;

/** Lists that the user has left, by their queries, for when the user goes back to them. */
const lists = new Map<string, RequestList>();

// The next user may not be allowed to see them.
effect(() => {
  if (session.value.key === null) lists.clear();
});

export function keepList(queryKey: string, list: RequestList) {
  lists.delete(queryKey);
  lists.set(queryKey, { ...list, isHeld: false });
  if (lists.size > maxLists) lists.delete([...lists.keys()][0] ?? '');
}

/** @returns the list that was left, or an empty one */
export function listFor(queryKey: string, isPaused: boolean): RequestList {
  return { ...(lists.get(queryKey) ?? emptyList), isPaused };
}
