import { useState } from 'preact/hooks';
import { useConnection } from '../connection.js';
import { useKeyNames } from '../key-names.js';
import { ManagementSwitch } from '../management-switch.js';
import { Failed, Part } from '../parts/part.js';
import { TimeControl } from '../time/time-control.js';
import { urlState } from '../url-state.js';
import { ExportDialog } from './export-dialog.js';
import { listQueryIn } from './filter.js';
import { Filters } from './filters.js';
import { Histogram } from './histogram.js';
import { LiveBar } from './live-bar.js';
import { RequestDetails } from './request-details.js';
import { RequestTable } from './request-table.js';
import { useHold } from './use-hold.js';
import { useRequestList } from './use-request-list.js';

/** The request log, live or filtered. */
export function RequestsView() {
  const state = urlState.value;
  const query = listQueryIn(state);
  const { filter, range, isSlowestFirst } = query;
  // No live updates for a range in the past.
  const isLive = !(range && 'to' in range && range.to) && !isSlowestFirst;
  const { list, loaded, tail, older, loadOlder, pause, resume, hold, release } = useRequestList(query, isLive);
  const holding = useHold(hold, release);
  const connection = useConnection();
  const [isExporting, setIsExporting] = useState(false);
  const keyNames = useKeyNames([
    filter.apiKeyId ?? null,
    filter.verifiedApiKeyId ?? null,
    ...(loaded.data ?? []).map(({ apiKeyId }) => apiKeyId),
  ]);

  return (
    <>
      <div class="toolbar">
        <TimeControl range={range} canBeAny hasOwnPause={isLive} />
        <ManagementSwitch />
      </div>
      <Filters filter={filter} keyNames={keyNames} />
      <Histogram query={query} />
      <section class="panel">
        <div class="panel-head">
          {isLive ? (
            <LiveBar
              list={list}
              tail={tail}
              connection={connection}
              isFailing={loaded.error !== undefined}
              pause={pause}
              resume={resume}
            />
          ) : (
            <span>{isSlowestFirst ? 'Slowest first' : ''}</span>
          )}
          <button type="button" onClick={() => setIsExporting(true)}>
            Export
          </button>
        </div>
        <Part
          of={loaded}
          name="requests"
          isEmpty={(rows) => rows.length === 0}
          empty={`No requests match.${isLive ? ' New ones will appear here.' : ''}`}
        >
          {(rows) => (
            <div {...holding}>
              <RequestTable rows={rows} keyNames={keyNames} isSlowestFirst={isSlowestFirst} />
            </div>
          )}
        </Part>
        {older.error && <Failed error={older.error} retry={loadOlder} />}
        {list.hasOlder && !older.error && !isSlowestFirst && (
          <p class="more">
            <button type="button" disabled={older.isLoading} onClick={loadOlder}>
              {older.isLoading ? 'Loading…' : 'Show older'}
            </button>
          </p>
        )}
      </section>
      {state.params.request && (
        <RequestDetails
          key={state.params.request}
          id={state.params.request}
          known={list.rows?.find(({ id }) => id === state.params.request)}
          keyNames={keyNames}
        />
      )}
      {isExporting && <ExportDialog query={query} onClose={() => setIsExporting(false)} />}
    </>
  );
}
