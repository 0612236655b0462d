import { useEffect, useRef } from 'preact/hooks';
import { Copy } from '../parts/copy.js';
import { Dialog } from '../parts/dialog.js';
import { holdSession } from '../session.js';

const question = 'This is the only time the key is shown. Leave without storing it?';

/**
 * Shows the new key. Asks for confirmation before Escape, the back button or closing the tab hides it. The session does not end
 * while it is shown.
 */
export function NewSecret({ name, secret, onClose }: { name: string; secret: string; onClose: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.select();
    const removeGuard = confirmBeforeLeaving(onClose);
    const releaseSession = holdSession();
    return () => {
      releaseSession();
      removeGuard();
    };
  }, []);

  return (
    <Dialog title={`The key of “${name}”`} onClose={onClose} canClose={() => window.confirm(question)}>
      <p>Store it now: this is the only time it is shown. The service keeps only its digest.</p>
      <div class="secret">
        <input ref={field} class="mono" readOnly value={secret} aria-label="Key" />
        <Copy text={secret} label="Copy the key" />
      </div>
      <div class="buttons">
        <button type="button" class="primary" onClick={onClose}>
          I have stored it
        </button>
      </div>
    </Dialog>
  );
}

/** Adds an entry to the browser history, so that leaving with the back button asks first. @returns a function that removes it */
function confirmBeforeLeaving(onLeave: () => void): () => void {
  let hasHistoryEntry = true;
  const addHistoryEntry = () => window.history.pushState(null, '', window.location.href);
  const confirmOnUnload = (event: BeforeUnloadEvent) => event.preventDefault();
  const confirmOnBack = () => {
    hasHistoryEntry = !window.confirm(question);
    if (hasHistoryEntry) addHistoryEntry();
    else onLeave();
  };
  addHistoryEntry();
  window.addEventListener('beforeunload', confirmOnUnload);
  window.addEventListener('popstate', confirmOnBack);
  return () => {
    window.removeEventListener('beforeunload', confirmOnUnload);
    window.removeEventListener('popstate', confirmOnBack);
    // Removes the added entry, unless the back button did.
    if (hasHistoryEntry) window.history.back();
  };
}
