import { useState } from 'preact/hooks';
import { useConnection } from '../connection.js';
import { useKeyNames } from '../key-names.js';
import { ManagementSwitch } from '../management-switch.js';
import { Failed, Part } from '../parts/part.js';
import { serverNow } from '../server-clock.js';
import { endsOf } from '../time/range.js';
import { TimeControl } from '../time/time-control.js';
import { urlState } from '../url-state.js';
import { ExportDialog } from './export-dialog.js';
import { type ListQuery, listQueryIn, needsRange } from './filter.js';
import { Filters } from './filters.js';
import { Histogram } from './histogram.js';
import { LiveBar } from './live-bar.js';
import { RequestDetails } from './request-details.js';
import { RequestTable } from './request-table.js';
import { useHold } from './use-hold.js';
import { useRequestList } from './use-request-list.js';

/** In a longer range, the API sorts only requests from `minSortedMs`. */
const maxSortedRangeMs = 25 * 3_600_000;
const minSortedMs = 500;

function isLong({ range }: ListQuery): boolean {
  const { from, to } = endsOf(range ?? { preset: '24h' }, serverNow());
  return to - from > maxSortedRangeMs;
}

/** The request log, live or filtered. */
export function RequestsView() {
  const query = listQueryIn(urlState.value);
  // No live updates for a range in the past.
  const isLive = !(query.range && 'to' in query.range && query.range.to) && !query.isSlowestFirst;
  return (
    <>
      <div class="toolbar">
        <TimeControl range={query.range} canBeAny={!needsRange(query)} hasOwnPause={isLive} />
        <ManagementSwitch />
      </div>
      <Filters filter={query.filter} />
      <Histogram query={query} />
      <RequestPanel key={JSON.stringify(query)} query={query} isLive={isLive} />
    </>
  );
}

/** The list of the requests that match a query. */
function RequestPanel({ query, isLive }: { query: ListQuery; isLive: boolean }) {
  const { isSlowestFirst } = query;
  const { list, loaded, tail, older, loadOlder, pause, resume, showHeld, hold, release } = useRequestList(
    query,
    isLive,
  );
  const holding = useHold(hold, release);
  const connection = useConnection();
  const [isExporting, setIsExporting] = useState(false);
  const keyNames = useKeyNames(loaded.data?.flatMap(({ apiKeyId, verifiedApiKeyId }) => [apiKeyId, verifiedApiKeyId]));
  const { request } = urlState.value.params;
  const isLimited = isSlowestFirst && isLong(query);

  return (
    <>
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
              showHeld={showHeld}
            />
          ) : (
            <span>{isSlowestFirst ? `Slowest first${isLimited ? `, from ${minSortedMs} ms` : ''}` : ''}</span>
          )}
          <button type="button" onClick={() => setIsExporting(true)}>
            Export
          </button>
        </div>
        <div {...holding}>
          <Part
            of={loaded}
            name="requests"
            isEmpty={(rows) => rows.length === 0}
            empty={
              isLimited
                ? `No requests of ${minSortedMs} ms or more match. Choose a range of a day or less for all.`
                : `No requests match.${isLive ? ' New ones will appear here.' : ''}`
            }
          >
            {(rows) => <RequestTable rows={rows} keyNames={keyNames} isSlowestFirst={isSlowestFirst} />}
          </Part>
        </div>
        {older.error && <Failed error={older.error} retry={loadOlder} />}
        {list.hasOlder && !older.error && !isSlowestFirst && (
          <p class="more">
            <button type="button" disabled={older.isLoading} onClick={loadOlder}>
              {older.isLoading ? 'Loading…' : 'Show older'}
            </button>
          </p>
        )}
      </section>
      {request && (
        <RequestDetails
          key={request}
          id={request}
          known={loaded.data?.find(({ id }) => id === request)}
          keyNames={keyNames}
        />
      )}
      {isExporting && <ExportDialog query={query} onClose={() => setIsExporting(false)} />}
    </>
  );
}
