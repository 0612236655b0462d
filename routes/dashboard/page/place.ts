import { observed, useObserved } from './observed.js';

export const views = ['overview', 'requests', 'keys', 'health'] as const;
export type View = (typeof views)[number];

/** Where one is: a view, and what is chosen in it, by the names that the API has for it. All of it is in the URL. */
export interface Place {
  view: View;
  /** Such as `{ range: '1h', statusCode: '500' }`. */
  chosen: Readonly<Record<string, string>>;
}

export type Choice = Record<string, string | undefined>;

const place = observed(read());
window.addEventListener('popstate', () => place.set(read()));

export const usePlace = () => useObserved(place);

/** Goes to a view with nothing chosen but this. */
export function goTo(view: View, choice: Choice = {}) {
  window.history.pushState(null, '', hrefOf(view, choice));
  place.set(read());
}

/** Chooses something else, or with `undefined` nothing, in the same view. */
export function choose(choice: Choice) {
  const { view, chosen } = place.get();
  goTo(view, { ...chosen, ...choice });
}

/** A link to there, for this tab, another tab, or a colleague. */
export function hrefOf(view: View, choice: Choice = {}): string {
  const given = Object.entries(choice).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return `?${new URLSearchParams([['view', view], ...given])}`;
}

function read(): Place {
  const { view, ...chosen } = Object.fromEntries(new URLSearchParams(window.location.search));
  return { view: views.find((known) => known === view) ?? 'overview', chosen };
}
