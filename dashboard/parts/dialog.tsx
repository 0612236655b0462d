import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

interface DialogProps {
  title: string;
  onClose: () => void;
  /** Called before Escape or the close button closes it; `false` keeps it open. */
  canClose?: () => boolean;
  /** `side`: at the edge, so that the list stays visible. */
  placement?: 'centre' | 'side';
  children: ComponentChildren;
}

/** A modal dialog. Restores the focus when it closes. */
export function Dialog({ title, onClose, canClose = () => true, placement = 'centre', children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  // Not useLayoutEffect, whose cleanup can run a frame later and would take the focus from where the user has moved it.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);

  const close = () => {
    if (canClose()) onClose();
  };

  return (
    <dialog
      ref={element}
      class={placement}
      aria-labelledby={titleId}
      onKeyDown={(event) => {
        // Handled here, because the browser's cancel event can be prevented only once. Stops at the innermost of nested dialogs.
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
        <h2 id={titleId} dir="auto">
          {title}
        </h2>
        <button type="button" class="quiet" aria-label="Close" onClick={close}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}
