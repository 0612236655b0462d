import { get, type Page } from '../api.js';
import { count } from '../parts/numbers.js';
import { Part } from '../parts/part.js';
import { usePolled } from '../polled.js';
import type { Entry } from '../requests/request-list.js';
import type { Choice } from '../url-state.js';
import type { filterOf } from './filter.js';
import { type KeyFigures, KeyList } from './key-list.js';

/** The largest page of the log. */
const maxRequests = 500;

interface NewestKeysProps {
  filter: ReturnType<typeof filterOf>;
  lengthMs: number;
  refreshMs: number;
  choice: () => Choice;
}

/** The keys of the newest requests that match a filter: the statistics of keys have no route, method or status. */
export function NewestKeys({ filter, lengthMs, refreshMs, choice }: NewestKeysProps) {
  const loaded = usePolled(JSON.stringify([filter, lengthMs]), load, refreshMs);

  async function load(signal: AbortSignal) {
    const query = { ...filter, from: new Date(Date.now() - lengthMs).toISOString(), limit: maxRequests };
    const { data } = await get<Page<Entry>>('/v1/request-logs', query, signal);
    return { keys: keysOf(data), total: data.length };
  }

  return (
    <Part of={loaded} name="keys">
      {({ keys, total }) => (
        <>
          {total === maxRequests && <p class="soft">Of the newest {count(maxRequests)} of these requests.</p>}
          <KeyList keys={keys} total={total} choice={choice} />
        </>
      )}
    </Part>
  );
}

function keysOf(entries: Entry[]): KeyFigures[] {
  const keys = new Map<string, KeyFigures>();
  for (const { apiKeyId, statusCode } of entries) {
    if (apiKeyId === null) continue;
    const { count, errors } = keys.get(apiKeyId) ?? { count: 0, errors: 0 };
    keys.set(apiKeyId, { apiKeyId, count: count + 1, errors: errors + (statusCode >= 500 ? 1 : 0) });
  }
  return [...keys.values()].sort((a, b) => b.count - a.count);
}
