import type { ComponentChildren, TargetedMouseEvent } from 'preact';
import { type Choice, hrefOf, hrefWith, open, urlState } from '../url-state.js';

interface LinkProps {
  /** A URL of `hrefOf` or `hrefWith`. */
  href: string;
  title?: string;
  /** The name for screen readers, if it is not the text. */
  label?: string;
  class?: string;
  /** Marks the link for a shortcut. */
  shortcut?: string;
  isCurrent?: boolean | 'page';
  children: ComponentChildren;
}

/** A link within the page, which can also be copied or opened in a tab. */
export function Link({ href, title, label, class: look = 'link', shortcut, isCurrent, children }: LinkProps) {
  return (
    <a
      href={href}
      title={title}
      aria-label={label}
      class={look}
      data-shortcut={shortcut}
      aria-current={isCurrent || undefined}
      onClick={(event) => follow(event, href)}
    >
      {children}
    </a>
  );
}

/** Changes the page without loading it again, unless a modifier key asks for another tab or window. */
export function follow(event: TargetedMouseEvent<HTMLElement>, href: string) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open(href);
}

/** Leads to the requests that match. */
export function RequestsLink({
  filter,
  title,
  children,
}: {
  filter: Choice;
  title?: string;
  children: ComponentChildren;
}) {
  return (
    <Link href={hrefOf('requests', filter)} title={title ?? 'Show these requests'}>
      {children}
    </Link>
  );
}

/** Leads to the page of a key. */
export function KeyLink({ id, children }: { id: string; children: ComponentChildren }) {
  // The list behind the details keeps its filter.
  const href = urlState.value.view === 'keys' ? hrefWith({ key: id }) : hrefOf('keys', { key: id });
  return (
    <Link href={href} title="Details of the key">
      {children}
    </Link>
  );
}

/** Leads to the page of an owner. */
export function OwnerLink({ id }: { id: string }) {
  return (
    <Link href={hrefOf('keys', { ownerId: id })} title="The owner’s keys and usage">
      <bdi>{id}</bdi>
    </Link>
  );
}
