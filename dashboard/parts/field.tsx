import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface FieldProps {
  label: string;
  hint?: string;
  /** The error of the service for this field. */
  error?: string | undefined;
  children: (attributes: { id: string; 'aria-describedby': string; 'aria-invalid': boolean }) => ComponentChildren;
}

/** A labelled field with a hint and an error. */
export function Field({ label, hint, error = '', children }: FieldProps) {
  const id = useId();
  return (
    <div class="form-field">
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': `${id}-error ${id}-hint`, 'aria-invalid': error !== '' })}
      <p id={`${id}-error`} class="form-error" role="alert">
        {error}
      </p>
      <p id={`${id}-hint`} class="form-hint">
        {hint}
      </p>
    </div>
  );
}
