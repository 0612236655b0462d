import { useEffect, useRef, useState } from 'preact/hooks';
import { download } from '../download.js';
import { Dialog } from '../parts/dialog.js';
import { bytes } from '../parts/numbers.js';
import { Failed } from '../parts/part.js';
import { type ListQuery, queryOf } from './filter.js';

const formats = { ndjson: 'NDJSON, a JSON object a line', csv: 'CSV, for a spreadsheet' };
type Format = keyof typeof formats;

/** A browser may not be able to hold more in memory. */
const largeExportBytes = 100 * 2 ** 20;

/** Exports the requests that match the filter. */
export function ExportDialog({ query, onClose }: { query: ListQuery; onClose: () => void }) {
  const [format, setFormat] = useState<Format>('ndjson');
  const [receivedBytes, setReceivedBytes] = useState<number | null>(null);
  const [outcome, setOutcome] = useState<Error | 'saved' | null>(null);
  const unmountController = useRef(new AbortController());
  useEffect(() => () => unmountController.current.abort(), []);
  const { filter, range } = query;
  const isFiltered = Object.keys(filter).length > 0 || range !== undefined;

  async function start() {
    setOutcome(null);
    setReceivedBytes(0);
    try {
      const { signal } = unmountController.current;
      await download(
        '/v1/request-logs/export',
        { ...queryOf({ ...query, isSlowestFirst: false }), format },
        { name: `request-logs.${format}`, signal, onProgress: setReceivedBytes },
      );
      setOutcome('saved');
    } catch (error) {
      if (unmountController.current.signal.aborted) return;
      setOutcome(error as Error);
      setReceivedBytes(null);
    }
  }

  const isRunning = receivedBytes !== null && outcome === null;
  return (
    <Dialog title="Export requests" onClose={onClose}>
      <p>
        {isFiltered ? 'All requests that match the filters' : 'All requests in the log'}, oldest first.
        {!range && ' Without a range of time, there can be very many.'}
        {query.excludeManagement && ' Management requests are left out, as in the list.'}
      </p>
      <fieldset class="formats" disabled={isRunning}>
        <legend>Format</legend>
        {Object.entries(formats).map(([name, title]) => (
          <label key={name}>
            <input type="radio" name="format" checked={name === format} onChange={() => setFormat(name as Format)} />{' '}
            {title}
          </label>
        ))}
      </fieldset>
      {outcome instanceof Error && <Failed error={outcome} retry={start} />}
      <p role="status">
        {isRunning && `${bytes(receivedBytes)} so far…`}
        {outcome === 'saved' && `Saved: ${bytes(receivedBytes ?? 0)}.`}
      </p>
      {isRunning && receivedBytes > largeExportBytes && (
        <p class="warn">
          This is large for a browser. <code>npm run logs -- export</code> writes it to a file without holding it in
          memory.
        </p>
      )}
      <footer>
        <button type="button" onClick={onClose}>
          {isRunning ? 'Cancel' : 'Close'}
        </button>
        <button type="button" class="primary" disabled={isRunning} onClick={start}>
          Download
        </button>
      </footer>
    </Dialog>
  );
}
