import { createObserved, useObserved } from './observed.js';

export const views = ['overview', 'requests', 'keys', 'health'] as const;
export type View = (typeof views)[number];

/** The state in the URL: the view, and its parameters by their names in the API. */
export interface UrlState {
  view: View;
  /** Such as `{ range: '1h', statusCode: '500' }`. */
  params: Readonly<Record<string, string>>;
}

export type Choice = Record<string, string | undefined>;

const urlState = createObserved(read());
window.addEventListener('popstate', () => urlState.set(read()));

export const useUrlState = () => useObserved(urlState);

/** Goes to a view with these parameters. */
export function goTo(view: View, choice: Choice = {}) {
  window.history.pushState(null, '', hrefOf(view, choice));
  urlState.set(read());
}

/** Changes parameters of the current view; `undefined` removes one. */
export function choose(choice: Choice) {
  const { view, params } = urlState.get();
  goTo(view, { ...params, ...choice });
}

/** The URL of a view with parameters. */
export function hrefOf(view: View, choice: Choice = {}): string {
  const defined = Object.entries(choice).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return `?${new URLSearchParams([['view', view], ...defined])}`;
}

function read(): UrlState {
  const { view, ...params } = Object.fromEntries(new URLSearchParams(window.location.search));
  return { view: views.find((known) => known === view) ?? 'overview', params };
}
