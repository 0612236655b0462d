import { useEffect, useRef } from 'preact/hooks';
import { Copy } from '../parts/copy.js';
import { Dialog } from '../parts/dialog.js';
import { holdSession } from '../session.js';

const question = 'The key is shown this once. Leave without having stored it?';

/**
 * The key itself, once. Nobody leaves it by accident: not by Escape, by the browser's way back, by closing the tab, or because
 * the session ends.
 */
export function NewSecret({ name, secret, onClose }: { name: string; secret: string; onClose: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.select();
    const leave = askBeforeLeaving(onClose);
    const letGo = holdSession();
    return () => {
      letGo();
      leave();
    };
  }, []);

  return (
    <Dialog title={`The key of “${name}”`} onClose={onClose} mayClose={() => window.confirm(question)}>
      <p>Store it now: it is shown this once, and the service keeps only its digest.</p>
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

/** An entry of the history of its own takes the first way back, so that there is time to ask. @returns ends it */
function askBeforeLeaving(onLeave: () => void): () => void {
  let isGuarded = true;
  const guard = () => window.history.pushState(null, '', window.location.href);
  const askOnUnload = (event: BeforeUnloadEvent) => event.preventDefault();
  const askOnBack = () => {
    isGuarded = !window.confirm(question);
    if (isGuarded) guard();
    else onLeave();
  };
  guard();
  window.addEventListener('beforeunload', askOnUnload);
  window.addEventListener('popstate', askOnBack);
  return () => {
    window.removeEventListener('beforeunload', askOnUnload);
    window.removeEventListener('popstate', askOnBack);
    if (isGuarded) window.history.back();
  };
}
