import type { ComponentType, TargetedMouseEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { HealthView } from './health/health.js';
import { KeysView } from './keys/keys.js';
import { OverviewView } from './overview/overview.js';
import { goTo, hrefOf, usePlace, type View, views } from './place.js';
import { RequestsView } from './requests/requests.js';
import { signOut } from './session.js';

const titles: Record<View, string> = { overview: 'Overview', requests: 'Requests', keys: 'Keys', health: 'Health' };
const components: Record<View, ComponentType> = {
  overview: OverviewView,
  requests: RequestsView,
  keys: KeysView,
  health: HealthView,
};

/** What is around every view. */
export function Shell({ who }: { who: string }) {
  const { view } = usePlace();
  const isOnline = useOnline();
  const Current = components[view];
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    document.title = `${titles[view]} · musicez`;
    // What led here from another view is gone, and the focus with it.
    if (document.activeElement === document.body) main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [view]);

  return (
    <>
      <header class="shell">
        <span class="brand">musicez</span>
        <nav aria-label="Views">
          {views.map((other) => (
            <a
              key={other}
              href={hrefOf(other)}
              aria-current={other === view ? 'page' : undefined}
              onClick={follow(other)}
            >
              {titles[other]}
            </a>
          ))}
        </nav>
        <span class="who">
          <span class="who-name" title={`Signed in with the key “${who}”`}>
            {who}
          </span>
          <button type="button" class="quiet" onClick={() => signOut()}>
            Sign out
          </button>
        </span>
      </header>
      {!isOnline && (
        <p class="banner" role="status">
          This computer is offline. What is shown is the last that came.
        </p>
      )}
      <main id="view" class={view} ref={main} tabIndex={-1}>
        <h1 class="visually-hidden">{titles[view]}</h1>
        <Current />
      </main>
    </>
  );
}

/** In this tab, without loading the page anew, unless another tab or window was asked for. */
function follow(view: View) {
  return (event: TargetedMouseEvent<HTMLAnchorElement>) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    goTo(view);
  };
}

function useOnline(): boolean {
  const [isOnline, setIsOnline] = useState(navigator.onLine);
  useEffect(() => {
    const follow = () => setIsOnline(navigator.onLine);
    window.addEventListener('online', follow);
    window.addEventListener('offline', follow);
    return () => {
      window.removeEventListener('online', follow);
      window.removeEventListener('offline', follow);
    };
  }, []);
  return isOnline;
}
