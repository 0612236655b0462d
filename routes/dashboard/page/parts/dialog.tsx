import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

interface DialogProps {
  title: string;
  onClose: () => void;
  /** Asked before Escape or the close button closes it; `false` keeps it open. */
  mayClose?: () => boolean;
  /** `side`: at the edge, for what is read beside the list that it is of. */
  placement?: 'centre' | 'side';
  children: ComponentChildren;
}

/** Modal: the rest of the page is out of reach until it closes, when focus is where it was. */
export function Dialog({ title, onClose, mayClose = () => true, placement = 'centre', children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);

  const close = () => {
    if (mayClose()) onClose();
  };

  return (
    <dialog
      ref={element}
      class={placement}
      aria-labelledby={titleId}
      onKeyDown={(event) => {
        // Before the browser, which lets only the first Escape be refused. Dialogs may be in one another.
        if (event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        close();
      }}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <header>
        <h2 id={titleId}>{title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={close}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}
