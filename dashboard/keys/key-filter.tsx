import { useEffect, useState } from 'preact/hooks';
import type { Query } from '../api.js';
import { serverNow } from '../server-clock.js';
import { choose } from '../url-state.js';

const dayMs = 86_400_000;

/** Selections of keys, by their names in the URL. */
const selections = {
  '': 'All keys',
  active: 'Enabled',
  ending: 'Expire within 7 days',
  unused: 'Not used for 90 days',
  disabled: 'Disabled',
  expired: 'Expired',
} as const;

/** The query of the list of keys. */
export function keyQuery({ q, ownerId, keys }: Readonly<Record<string, string>>): Query {
  const at = (days: number) => new Date(serverNow() + days * dayMs).toISOString();
  return {
    q,
    ownerId,
    ...(keys === 'ending' && { expiresAfter: at(0), expiresBefore: at(7), active: true }),
    ...(keys === 'unused' && { lastUsedBefore: at(-90) }),
    ...(keys === 'active' && { active: true }),
    ...(keys === 'disabled' && { active: false }),
    ...(keys === 'expired' && { expiresBefore: at(0) }),
  };
}

/** The search and the selection of the list of keys. */
export function KeyFilter({ params }: { params: Readonly<Record<string, string>> }) {
  const { q = '', keys = '', ownerId } = params;
  const [draft, setDraft] = useState(q);
  useEffect(() => setDraft(q), [q]);
  const search = (text: string) => choose({ q: text.length >= 3 ? text : undefined, cursor: undefined });
  return (
    <search class="key-filter">
      <input
        type="search"
        data-shortcut="search"
        aria-label="Search keys"
        placeholder="Name or start, 3 characters"
        maxLength={100}
        value={draft}
        onInput={({ currentTarget }) => setDraft(currentTarget.value)}
        onBlur={() => draft !== q && search(draft)}
        onKeyDown={({ key }) => key === 'Enter' && search(draft)}
      />
      <select
        aria-label="Keys"
        value={keys}
        onChange={({ currentTarget }) => choose({ keys: currentTarget.value || undefined, cursor: undefined })}
      >
        {Object.entries(selections).map(([value, title]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </select>
      {ownerId && (
        <button type="button" class="chip" onClick={() => choose({ ownerId: undefined, cursor: undefined })}>
          Owner: {ownerId} ✕
        </button>
      )}
    </search>
  );
}
