import type { ComponentChildren } from 'preact';
import { goTo } from '../url-state.js';

/** Leads to the page of a key. */
export function KeyLink({ id, children }: { id: string; children: ComponentChildren }) {
  return (
    <button type="button" class="link" title="Details of the key" onClick={() => goTo('keys', { key: id })}>
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
