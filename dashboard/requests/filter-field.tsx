import type { ComponentChildren, InputHTMLAttributes } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { choose } from '../url-state.js';
import type { FilterName } from './filter.js';

interface EntryProps {
  name: FilterName;
  title: string;
  /** The value in the filter. */
  value: string | undefined;
  /** Convert the value to the text of the field, and back. */
  toText?: (value: string | undefined) => string;
  toValue?: (text: string) => string | undefined;
  /** More parameters to set together with a value. */
  extraParams?: () => Record<string, string>;
  input: InputHTMLAttributes<HTMLInputElement>;
}

/** A text field. Its value is applied on Enter, and when it loses focus. */
export function Entry({
  name,
  title,
  value,
  toText = (value = '') => value,
  toValue = String,
  extraParams = () => ({}),
  input,
}: EntryProps) {
  const shown = toText(value);
  const [draft, setDraft] = useState(shown);
  useEffect(() => setDraft(shown), [shown]);
  const field = useRef<HTMLInputElement>(null);

  function applyDraft() {
    const text = draft.trim();
    if (field.current?.reportValidity() && text !== shown)
      choose({ ...(text !== '' && extraParams()), [name]: toValue(text) });
  }

  /** Reverts an invalid value: reporting it would keep the focus. */
  function applyOrRevert() {
    if (field.current?.checkValidity()) return applyDraft();
    setDraft(shown);
    // An incomplete date has an empty value, which would not change.
    if (field.current) field.current.value = shown;
  }

  return (
    <Field name={name} title={title}>
      <input
        {...input}
        id={name}
        ref={field}
        data-shortcut={name === 'path' ? 'search' : undefined}
        value={draft}
        onInput={({ currentTarget }) => setDraft(currentTarget.value)}
        onBlur={applyOrRevert}
        onKeyDown={({ key }) => key === 'Enter' && applyDraft()}
      />
    </Field>
  );
}

interface ChoiceProps {
  name: FilterName;
  title: string;
  value: string | undefined;
  options: string[];
  titleOf?: (option: string) => string;
}

/** A select field with “Any”. */
export function Choice({ name, title, value = '', options, titleOf = String }: ChoiceProps) {
  // A link can have a value that is not an option.
  const all = value === '' || options.includes(value) ? options : [...options, value];
  return (
    <Field name={name} title={title}>
      <select id={name} value={value} onChange={({ currentTarget }) => choose({ [name]: currentTarget.value })}>
        <option value="">Any</option>
        {all.map((option) => (
          <option key={option} value={option}>
            {titleOf(option)}
          </option>
        ))}
      </select>
    </Field>
  );
}

function Field({ name, title, children }: { name: FilterName; title: string; children: ComponentChildren }) {
  return (
    <div class={`field field-${name}`}>
      <label for={name}>{title}</label>
      {children}
    </div>
  );
}
