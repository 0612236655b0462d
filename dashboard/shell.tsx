import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ClockNotice } from './clock-notice.js';
import { ConnectionState } from './connection-state.js';
import { HealthView } from './health/health.js';
import { KeysView } from './keys/keys.js';
import { OverviewView } from './overview/overview.js';
import { Link } from './parts/links.js';
import { RequestsView } from './requests/requests.js';
import { signOut } from './session.js';
import { Shortcuts } from './shortcuts.js';
import { hrefOf, urlState, type View, views } from './url-state.js';

const titles: Record<View, string> = { overview: 'Overview', requests: 'Requests', keys: 'Keys', health: 'Health' };
const components: Record<View, ComponentType> = {
  overview: OverviewView,
  requests: RequestsView,
  keys: KeysView,
  health: HealthView,
};

/** The header with navigation, the offline banner, and the current view. */
export function Shell({ keyName }: { keyName: string }) {
  const { view } = urlState.value;
  const isOnline = useOnline();
  const Current = components[view];
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${titles[view]} · musicez`;
    // The element of the previous view that had the focus is gone, so this view gets the focus. Not at first: Tab begins at the top.
    if (!isFirst.current && document.activeElement === document.body) main.current?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [view]);

  return (
    <>
      <button type="button" class="skip-link" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="shell">
        <span class="brand">musicez</span>
        <nav aria-label="Views">
          {views.map((other) => (
            <Link key={other} class="view-link" href={hrefOf(other)} isCurrent={other === view && 'page'}>
              {titles[other]}
            </Link>
          ))}
        </nav>
        <ConnectionState />
        <span class="who">
          <span class="who-name" title={`Signed in with the key “${keyName}”`}>
            <bdi>{keyName}</bdi>
          </span>
          <button type="button" class="quiet" onClick={() => signOut()}>
            Sign out
          </button>
        </span>
      </header>
      {!isOnline && (
        <p class="banner" role="status">
          This computer is offline. The last data is shown.
        </p>
      )}
      <ClockNotice />
      <main id="view" class={view} ref={main} tabIndex={-1}>
        <h1 class="visually-hidden">{titles[view]}</h1>
        <Current />
      </main>
      <Shortcuts />
    </>
  );
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
