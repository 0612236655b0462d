import type { ComponentChildren, TargetedSubmitEvent } from 'preact';
import { useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.js';
import { type FormErrors, formErrorsOf, noFormErrors } from './form-errors.js';

interface ActionFormProps {
  title: string;
  /** The label of the button, and its label while the request runs. */
  verb: readonly [idle: string, running: string];
  look?: 'primary' | 'danger';
  isReady?: boolean;
  /** The names of the fields in the API. */
  fields?: readonly string[];
  act: (form: FormData) => Promise<void>;
  onClose: () => void;
  children: (errors: FormErrors) => ComponentChildren;
}

/** A form that sends a request, and shows errors of the service at their fields. */
export function ActionForm({ title, verb, look = 'primary', isReady = true, fields = [], ...props }: ActionFormProps) {
  const { act, onClose, children } = props;
  const [errors, setErrors] = useState(noFormErrors);
  const [isActing, setIsActing] = useState(false);

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    setIsActing(true);
    try {
      await act(new FormData(form));
    } catch (error) {
      setIsActing(false);
      setErrors(formErrorsOf(error as Error, fields));
      // After the render that marks the field.
      window.setTimeout(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <form class="action" onSubmit={submit} noValidate>
        {children(errors)}
        <p class="form-error" role="alert">
          {errors.other}
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
