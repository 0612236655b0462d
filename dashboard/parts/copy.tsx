import { useState } from 'preact/hooks';

/** A button that copies a text to the clipboard. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [outcome, setOutcome] = useState('');

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('Copied');
    } catch {
      // The clipboard is only available with HTTPS, or on localhost.
      setOutcome('Select it and copy by hand');
    }
    window.setTimeout(() => setOutcome(''), 2_000);
  }

  return (
    <span class="copy">
      <button type="button" class="small" aria-label={label} onClick={copy}>
        Copy
      </button>
      <span role="status">{outcome}</span>
    </span>
  );
}
