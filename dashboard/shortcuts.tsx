import { useEffect, useState } from 'preact/hooks';
import { Dialog } from './parts/dialog.js';
import { goTo, type View } from './url-state.js';

/** The letters after `g`. */
const viewLetters: Record<string, View> = { o: 'overview', r: 'requests', k: 'keys', h: 'health' };
/** How long the second letter is awaited. */
const secondLetterMs = 1_500;

const descriptions: [keys: string, effect: string][] = [
  ['/', 'Go to the search'],
  ['g o', 'Overview'],
  ['g r', 'Requests'],
  ['g k', 'Keys'],
  ['g h', 'Health'],
  ['p', 'Pause or resume the updates'],
  ['j', 'Next row'],
  ['k', 'Previous row'],
  ['?', 'These shortcuts'],
  ['Esc', 'Close'],
];

/** The shortcuts of all pages. Elements take part by `data-shortcut`: `search`, `pause`, and `row`. */
export function Shortcuts() {
  const [isListed, setIsListed] = useState(false);

  useEffect(() => {
    let isGoing = false;
    let timer: number | undefined;

    function press(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || hasDialog()) return;
      const view = isGoing ? viewLetters[event.key] : undefined;
      window.clearTimeout(timer);
      isGoing = event.key === 'g';
      if (isGoing) {
        timer = window.setTimeout(() => {
          isGoing = false;
        }, secondLetterMs);
        return;
      }
      const act = view ? () => goTo(view) : actions[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    }

    const actions: Record<string, () => void> = {
      '/': () => first('search')?.focus(),
      p: () => first('pause')?.click(),
      j: () => focusRow(1),
      k: () => focusRow(-1),
      '?': () => setIsListed(true),
    };
    window.addEventListener('keydown', press);
    return () => {
      window.removeEventListener('keydown', press);
      window.clearTimeout(timer);
    };
  }, []);

  if (!isListed) return null;
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => setIsListed(false)}>
      <dl class="facts">
        {descriptions.map(([keys, effect]) => (
          <>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{effect}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, select, textarea, [contenteditable]') !== null;
}

function hasDialog(): boolean {
  return document.querySelector('dialog[open]') !== null;
}

function all(name: string): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(`[data-shortcut="${name}"]`)];
}

/** The first that is visible. */
function first(name: string): HTMLElement | undefined {
  return all(name).find((element) => element.checkVisibility());
}

function focusRow(step: 1 | -1) {
  const rows = all('row');
  const current = rows.indexOf(document.activeElement as HTMLElement);
  const next = current === -1 ? 0 : current + step;
  rows[Math.min(Math.max(next, 0), rows.length - 1)]?.focus();
}
