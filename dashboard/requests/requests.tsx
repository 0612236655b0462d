import { useState } from 'preact/hooks';
import { useKeyNames } from '../key-names.js';
import { Failed, Part } from '../parts/part.js';
import { useUrlState } from '../url-state.js';
import { ExportDialog } from './export-dialog.js';
import { filterOf } from './filter.js';
import { FilterBar } from './filter-bar.js';
import { LiveBar } from './live-bar.js';
import { RequestDetails } from './request-details.js';
import { RequestTable } from './request-table.js';
import { useRequestList } from './use-request-list.js';

/** The request log, live or filtered. */
export function RequestsView() {
  const { params } = useUrlState();
  const filter = filterOf(params);
  // No live updates for a range in the past.
  const isLive = filter.to === undefined;
  const { list, loaded, tail, older, loadOlder, pause, resume } = useRequestList(filter, isLive);
  const [isExporting, setIsExporting] = useState(false);
  const keyNames = useKeyNames([filter.apiKeyId ?? null, ...(loaded.data ?? []).map(({ apiKeyId }) => apiKeyId)]);

  return (
    <>
      <FilterBar filter={filter} keyNames={keyNames} />
      <section class="panel">
        <div class="panel-head">
          {isLive ? <LiveBar list={list} tail={tail} pause={pause} resume={resume} /> : <span />}
          <button type="button" onClick={() => setIsExporting(true)}>
            Export
          </button>
        </div>
        <Part
          of={loaded}
          name="requests"
          isEmpty={(rows) => rows.length === 0}
          empty={`No request matches.${isLive ? ' New ones will appear here.' : ''}`}
        >
          {(rows) => <RequestTable rows={rows} keyNames={keyNames} />}
        </Part>
        {older.error && <Failed error={older.error} retry={loadOlder} />}
        {list.hasOlder && !older.error && (
          <p class="more">
            <button type="button" disabled={older.isLoading} onClick={loadOlder}>
              {older.isLoading ? 'Loading…' : 'Show older'}
            </button>
          </p>
        )}
      </section>
      {params.request && (
        <RequestDetails
          key={params.request}
          id={params.request}
          known={list.rows?.find(({ id }) => id === params.request)}
          keyNames={keyNames}
        />
      )}
      {isExporting && <ExportDialog filter={filter} onClose={() => setIsExporting(false)} />}
    </>
  );
}
