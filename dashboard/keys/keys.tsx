import { useState } from 'preact/hooks';
import type { ApiKey, CreatedApiKey } from '../../routes/api-key-fields.js';
import { get, type Page, type Wire } from '../api.js';
import { Failed, Part } from '../parts/part.js';
import { invalidate, useQuery } from '../query-cache.js';
import { choose, urlState } from '../url-state.js';
import { CreateKey } from './create-key.js';
import { Details } from './details.js';
import { AllEvents } from './events.js';
import { ExportKeys } from './export-keys.js';
import { ImportKeys } from './import-keys.js';
import { KeyFilter, keyQuery } from './key-filter.js';
import { KeyTable } from './list.js';
import { NewSecret } from './new-secret.js';
import { Owner } from './owner.js';
import { loadUsage } from './usage.js';

const pageLength = 50;
/** As many as the API returns at once: sorting needs all keys that it compares. */
const sortedLength = 500;
const refreshMs = 10_000;
const usageRefreshMs = 30_000;

/** The keys view: all keys with their usage, and actions to create, rotate, disable and delete them. */
export function KeysView() {
  const { params } = urlState.value;
  const { cursor, key, ownerId } = params;
  const filter = keyQuery(params);
  const limit = params.sort ? sortedLength : pageLength;
  const [isCreating, setIsCreating] = useState(false);
  const [isImporting, setIsImporting] = useState(false);
  const [created, setCreated] = useState<Wire<CreatedApiKey> | null>(null);
  const loaded = useQuery(
    ['keys', 'list', limit, cursor, params.q, ownerId, params.keys],
    (signal) => get<Page<ApiKey>>('/v1/api-keys', { limit, cursor, ...filter }, signal),
    refreshMs,
  );
  const ids = loaded.data?.data.map(({ id }) => id) ?? [];
  const usage = useQuery(['usage', 'by-key', ids], async (signal) => loadUsage(ids, signal), usageRefreshMs);

  return (
    <>
      <div class="toolbar">
        <KeyFilter params={params} />
        {cursor && (
          <button type="button" onClick={() => choose({ cursor: undefined })}>
            Newest keys
          </button>
        )}
        <div class="buttons at-end">
          <ExportKeys />
          <button type="button" onClick={() => setIsImporting(true)}>
            Import…
          </button>
          <button type="button" class="primary" onClick={() => setIsCreating(true)}>
            Create key…
          </button>
        </div>
      </div>
      <div class="key-panels">
        {ownerId && <Owner id={ownerId} />}
        {usage.error && !loaded.error && <Failed error={usage.error} retry={usage.refresh} />}
        <section class="panel">
          <Part of={loaded} name="keys" isEmpty={({ data }) => data.length === 0} empty="No keys match.">
            {({ data, nextCursor }) => (
              <>
                <KeyTable keys={data} usage={usage.data ?? new Map()} isUsageKnown={usage.data !== undefined} />
                {nextCursor && params.sort && <p class="soft">Sorted within these {sortedLength} keys.</p>}
                {nextCursor && (
                  <p class="more">
                    <button type="button" onClick={() => choose({ cursor: nextCursor })}>
                      Older keys
                    </button>
                  </p>
                )}
              </>
            )}
          </Part>
        </section>
        <AllEvents ownerId={ownerId} />
      </div>
      {key && <Details key={key} id={key} onSecret={setCreated} />}
      {isCreating && (
        <CreateKey
          onClose={() => setIsCreating(false)}
          onCreated={(made) => {
            setIsCreating(false);
            setCreated(made);
            void invalidate('keys');
          }}
        />
      )}
      {isImporting && <ImportKeys onClose={() => setIsImporting(false)} onImported={() => void invalidate('keys')} />}
      {created && <NewSecret name={created.name} secret={created.key} onClose={() => setCreated(null)} />}
    </>
  );
}
