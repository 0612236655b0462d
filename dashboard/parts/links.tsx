import type { ComponentChildren } from 'preact';
import { choose, goTo, useUrlState } from '../url-state.js';

/** Leads to the page of a key. */
export function KeyLink({ id, children }: { id: string; children: ComponentChildren }) {
  const { view } = useUrlState();
  // The list behind the details keeps its filter.
  const open = () => (view === 'keys' ? choose({ key: id }) : goTo('keys', { key: id }));
  return (
    <button type="button" class="link" title="Details of the key" onClick={open}>
      {children}
    </button>
  );
}

/** Leads to the page of an owner. */
export function OwnerLink({ id }: { id: string }) {
  return (
    <button type="button" class="link" title="The owner’s keys and usage" onClick={() => goTo('keys', { ownerId: id })}>
      {id}
    </button>
  );
}
