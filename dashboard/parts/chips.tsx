import { choose } from '../url-state.js';

export interface Chip {
  /** The parameters of the URL that the chip removes. */
  names: string[];
  text: string;
}

/** The active filters. */
export function Chips({ chips }: { chips: Chip[] }) {
  if (chips.length === 0) return null;
  return (
    <ul class="chips" aria-label="Filters">
      {chips.map(({ names, text }) => (
        <li key={text} class="chip">
          <bdi>{text}</bdi>
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
