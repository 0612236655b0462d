import { useState } from 'preact/hooks';
import type { ApiKey, CreatedApiKey } from '../../../api-key-fields.js';
import { get, type Page, type Wire } from '../api.js';
import { Failed, Part } from '../parts/part.js';
import { choose, usePlace } from '../place.js';
import { usePolled } from '../polled.js';
import { CreateKey } from './create-key.js';
import { Details } from './details.js';
import { KeyTable } from './list.js';
import { NewSecret } from './new-secret.js';
import { loadUsage } from './usage.js';

const pageLength = 50;
const refreshMs = 10_000;
const usageRefreshMs = 30_000;

/** Who may ask, how much they do, and the ways to make, replace and end keys. */
export function KeysView() {
  const { cursor, key } = usePlace().chosen;
  const [isCreating, setIsCreating] = useState(false);
  const [created, setCreated] = useState<Wire<CreatedApiKey> | null>(null);
  // Another one after each change, so that what is shown is asked for anew.
  const [version, setVersion] = useState(0);
  const onChanged = () => setVersion((before) => before + 1);
  const loaded = usePolled(
    JSON.stringify([cursor, version]),
    (signal) => get<Page<ApiKey>>('/v1/api-keys', { limit: pageLength, cursor }, signal),
    refreshMs,
  );
  const ids = loaded.data?.data.map(({ id }) => id) ?? [];
  const usage = usePolled(ids.join(), async (signal) => loadUsage(ids, signal), usageRefreshMs);

  return (
    <>
      <div class="toolbar">
        {cursor && (
          <button type="button" onClick={() => choose({ cursor: undefined })}>
            Newest keys
          </button>
        )}
        <button type="button" class="primary at-end" onClick={() => setIsCreating(true)}>
          New key
        </button>
      </div>
      {usage.error && !loaded.error && <Failed error={usage.error} retry={usage.refresh} />}
      <section class="panel">
        <Part of={loaded} name="keys" isEmpty={({ data }) => data.length === 0} empty="There are no keys here.">
          {({ data, nextCursor }) => (
            <>
              <KeyTable
                keys={data}
                usage={usage.data ?? new Map()}
                isUsageKnown={usage.data !== undefined && !usage.isOutdated}
              />
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
      {key && <Details key={key} id={key} version={version} onChanged={onChanged} onSecret={setCreated} />}
      {isCreating && (
        <CreateKey
          onClose={() => setIsCreating(false)}
          onCreated={(made) => {
            setIsCreating(false);
            setCreated(made);
            onChanged();
          }}
        />
      )}
      {created && <NewSecret name={created.name} secret={created.key} onClose={() => setCreated(null)} />}
    </>
  );
}
