import type { ComponentChildren, InputHTMLAttributes } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { choose } from '../place.js';
import type { FilterName } from './filter.js';

interface EntryProps {
  name: FilterName;
  title: string;
  /** As the filter has it. */
  value: string | undefined;
  /** What the field shows for it, and back. */
  toText?: (value: string | undefined) => string;
  toValue?: (text: string) => string | undefined;
  input: InputHTMLAttributes<HTMLInputElement>;
}

/** Something to type. It counts once the field is left, or at Enter; until then it is nobody's but the field's. */
export function Entry({ name, title, value, toText = (value = '') => value, toValue = String, input }: EntryProps) {
  const shown = toText(value);
  const [draft, setDraft] = useState(shown);
  useEffect(() => setDraft(shown), [shown]);
  const field = useRef<HTMLInputElement>(null);

  function take() {
    if (field.current?.reportValidity() && draft.trim() !== shown) choose({ [name]: toValue(draft.trim()) });
  }

  /** What cannot be is taken back rather than complained about, for that would hold the focus. */
  function leave() {
    if (field.current?.checkValidity()) return take();
    setDraft(shown);
    // Something half typed has no value that would change.
    if (field.current) field.current.value = shown;
  }

  return (
    <Field name={name} title={title}>
      <input
        {...input}
        id={name}
        ref={field}
        value={draft}
        onInput={({ currentTarget }) => setDraft(currentTarget.value)}
        onBlur={leave}
        onKeyDown={({ key }) => key === 'Enter' && take()}
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

/** One of a few, or any. */
export function Choice({ name, title, value = '', options, titleOf = String }: ChoiceProps) {
  // A link may name one that is not offered.
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
