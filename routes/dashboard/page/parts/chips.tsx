import { choose } from '../place.js';

export interface Chip {
  /** As the place has it; removing the chip removes these. */
  names: string[];
  text: string;
}

/** What the view is narrowed down to. */
export function Chips({ chips }: { chips: Chip[] }) {
  if (chips.length === 0) return null;
  return (
    <ul class="chips" aria-label="Filters">
      {chips.map(({ names, text }) => (
        <li key={text} class="chip">
          {text}
          <button
            type="button"
            aria-label={`Remove the filter ${text}`}
            onClick={() => choose(Object.fromEntries(names.map((name) => [name, undefined])))}
          >
            ✕
          </button>
        </li>
      ))}
    </ul>
  );
}
