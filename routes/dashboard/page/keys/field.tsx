import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface FieldProps {
  label: string;
  hint?: string;
  /** Why the service refused what is in it. */
  refusal?: string | undefined;
  children: (attributes: { id: string; 'aria-describedby': string; 'aria-invalid': boolean }) => ComponentChildren;
}

/** A labelled field with what it takes, and why that was not taken, beside it. */
export function Field({ label, hint, refusal = '', children }: FieldProps) {
  const id = useId();
  return (
    <div class="form-field">
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': `${id}-refusal ${id}-hint`, 'aria-invalid': refusal !== '' })}
      <p id={`${id}-refusal`} class="refusal" role="alert">
        {refusal}
      </p>
      <p id={`${id}-hint`} class="form-hint">
        {hint}
      </p>
    </div>
  );
}
