import type { ComponentChildren, TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.js';
import { noRefusal, type Refusal, refusalOf } from './refusal.js';

interface ActionFormProps {
  title: string;
  /** What the button says, and what it says meanwhile. */
  verb: readonly [now: string, meanwhile: string];
  look?: 'primary' | 'danger';
  isReady?: boolean;
  /** The fields' names, as the API has them. */
  fields?: readonly string[];
  act: (form: FormData) => Promise<void>;
  onClose: () => void;
  children: (refusal: Refusal) => ComponentChildren;
}

/** A question with its fields: does what was asked for, or says at the field why the service would not. */
export function ActionForm({ title, verb, look = 'primary', isReady = true, fields = [], ...props }: ActionFormProps) {
  const { act, onClose, children } = props;
  const [refusal, setRefusal] = useState(noRefusal);
  const [isActing, setIsActing] = useState(false);

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    setIsActing(true);
    try {
      await act(new FormData(form));
    } catch (error) {
      setIsActing(false);
      setRefusal(refusalOf(error as Error, fields));
      // Once it is marked.
      window.setTimeout(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <form class="action" onSubmit={submit} noValidate>
        {children(refusal)}
        <p class="refusal" role="alert">
          {refusal.other}
        </p>
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={look} disabled={!isReady || isActing}>
            {isActing ? verb[1] : verb[0]}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
