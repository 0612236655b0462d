import { useEffect, useRef, useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.js';
import { bytes } from '../parts/numbers.js';
import { Failed } from '../parts/part.js';
import { download } from './download.js';
import { type Filter, filterNames, queryOf } from './filter.js';

const formats = { ndjson: 'NDJSON, a JSON object a line', csv: 'CSV, for a spreadsheet' };
type Format = keyof typeof formats;

/** Where a browser may come to its limits. */
const largeBytes = 100 * 2 ** 20;

/** All requests that fit, as a file. */
export function ExportDialog({ filter, onClose }: { filter: Filter; onClose: () => void }) {
  const [format, setFormat] = useState<Format>('ndjson');
  const [size, setSize] = useState<number | null>(null);
  const [outcome, setOutcome] = useState<Error | 'saved' | null>(null);
  const leaving = useRef(new AbortController());
  useEffect(() => () => leaving.current.abort(), []);
  const isFiltered = filterNames.some((name) => filter[name]);

  async function start() {
    setOutcome(null);
    setSize(0);
    try {
      const { signal } = leaving.current;
      await download(
        '/v1/request-logs/export',
        { ...queryOf(filter), format },
        { name: `request-logs.${format}`, signal, onProgress: setSize },
      );
      setOutcome('saved');
    } catch (error) {
      if (leaving.current.signal.aborted) return;
      setOutcome(error as Error);
      setSize(null);
    }
  }

  const isRunning = size !== null && outcome === null;
  return (
    <Dialog title="Export requests" onClose={onClose}>
      <p>
        {isFiltered ? 'All requests that fit the filters' : 'All requests in the log'}, oldest first.
        {!filter.from && ' Without a time in “From” that can be very many.'}
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
        {isRunning && `${bytes(size)} so far…`}
        {outcome === 'saved' && `Saved: ${bytes(size ?? 0)}.`}
      </p>
      {isRunning && size > largeBytes && (
        <p class="warn">
          This is large for a browser. <code>npm run logs -- export</code> writes it to a file as it comes.
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
