import { useState } from 'preact/hooks';

/** Puts a text into the clipboard, and says so. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [outcome, setOutcome] = useState('');

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('Copied');
    } catch {
      // Only a page that came by HTTPS or from this computer may.
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
