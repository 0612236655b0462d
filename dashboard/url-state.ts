import { computed, signal } from '@preact/signals';

export const views = ['overview', 'requests', 'keys', 'health'] as const;
export type View = (typeof views)[number];

/** The state in the URL: the view, and its parameters by their names in the API. */
export interface UrlState {
  view: View;
  /** Such as `{ range: '1h', statusCode: '500' }`. */
  params: Readonly<Record<string, string>>;
}

export type Choice = Record<string, string | undefined>;

/** Browsers limit how often a page changes its history. */
const saveScrollAfterMs = 300;
/** Parameters that all views have in common. */
const sharedNames = ['range', 'from', 'to', 'tz', 'management', 'paused'];

/** The state of the current URL. */
export const urlState = signal(read());
/** The parameters that links to other views keep. */
const sharedParams = computed(() => Object.fromEntries(sharedNames.map((name) => [name, urlState.value.params[name]])));
window.history.scrollRestoration = 'manual';
window.addEventListener('popstate', ({ state }: PopStateEvent) => {
  urlState.value = read();
  // After the view is rendered, from cached data.
  window.setTimeout(() => window.scrollTo(0, (state as { scrollY?: number } | null)?.scrollY ?? 0));
});

let scrollTimer: number | undefined;
window.addEventListener(
  'scroll',
  () => {
    window.clearTimeout(scrollTimer);
    scrollTimer = window.setTimeout(saveScroll, saveScrollAfterMs);
  },
  { passive: true },
);

/** Keeps the position for this entry of the history. */
function saveScroll() {
  window.clearTimeout(scrollTimer);
  window.history.replaceState({ ...(window.history.state as object), scrollY: window.scrollY }, '');
}

/** Goes to a view with these parameters, and those that all views have in common. */
export function goTo(view: View, choice: Choice = {}) {
  open(hrefOf(view, choice));
}

/** Follows a link of `hrefOf`. */
export function open(href: string) {
  if (href === `?${new URLSearchParams(window.location.search)}`) return;
  const { view } = urlState.peek();
  saveScroll();
  window.history.pushState(null, '', href);
  urlState.value = read();
  if (urlState.peek().view !== view) window.scrollTo(0, 0);
}

/** Changes parameters of the current view; `undefined` removes one. */
export function choose(choice: Choice) {
  open(hrefWith(choice));
}

/** As `choose`, without a step in the history. */
export function replace(choice: Choice) {
  window.history.replaceState(window.history.state, '', hrefWith(choice));
  urlState.value = read();
}

/** The URL of the current view with changed parameters. */
export function hrefWith(choice: Choice): string {
  const { view, params } = urlState.value;
  return hrefOf(view, { ...params, ...choice });
}

/** The URL of a view with parameters, and those that all views have in common. */
export function hrefOf(view: View, choice: Choice = {}): string {
  const defined = Object.entries({ ...sharedParams.value, ...choice }).filter((entry): entry is [string, string] =>
    Boolean(entry[1]),
  );
  return `?${new URLSearchParams([['view', view], ...defined])}`;
}

function read(): UrlState {
  const { view, ...params } = Object.fromEntries(new URLSearchParams(window.location.search));
  return { view: views.find((known) => known === view) ?? 'overview', params };
}
