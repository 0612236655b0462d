import { useEffect, useRef, useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.js';
import { count } from '../parts/numbers.js';
import { Failed } from '../parts/part.js';
import { importFile, type Progress } from './import-file.js';

const maxFaultsShown = 20;

/** Imports keys from a file of the browser's computer. */
export function ImportKeys({ onClose, onImported }: { onClose: () => void; onImported: () => void }) {
  const [file, setFile] = useState<File | null>(null);
  const [progress, setProgress] = useState<Progress | null>(null);
  const [outcome, setOutcome] = useState<Error | 'done' | null>(null);
  const unmountController = useRef(new AbortController());
  useEffect(() => () => unmountController.current.abort(), []);
  const isRunning = progress !== null && outcome === null;

  async function start() {
    if (!file) return;
    setOutcome(null);
    const { signal } = unmountController.current;
    try {
      await importFile(file, setProgress, signal);
      setOutcome('done');
    } catch (error) {
      if (signal.aborted) return;
      setOutcome(error as Error);
    }
    onImported();
  }

  return (
    <Dialog title="Import keys" onClose={onClose}>
      <p>
        A file with a JSON object on each line: <code>sha256</code> of the key, <code>name</code>, and other fields of a
        key; or an export of another service. A key that this service has stays as it is, so an import can be repeated.
      </p>
      <p>
        <input
          type="file"
          aria-label="File"
          accept=".ndjson,.jsonl,.json,.txt"
          disabled={isRunning}
          onChange={({ currentTarget }) => {
            setFile(currentTarget.files?.[0] ?? null);
            setProgress(null);
            setOutcome(null);
          }}
        />
      </p>
      {isRunning && <progress aria-label="Import" max={file?.size ?? 1} value={progress.bytes} />}
      {outcome instanceof Error && <Failed error={outcome} retry={start} />}
      <p role="status">
        {progress &&
          `${count(progress.created)} created, ${count(progress.unchanged)} unchanged, ${count(progress.deleted)} marked as deleted, ${count(progress.failed)} failed${isRunning ? ' so far…' : '.'}`}
      </p>
      {progress && progress.faults.length > 0 && (
        <ul class="changes">
          {progress.faults.slice(0, maxFaultsShown).map(({ line, message }) => (
            <li key={line}>
              Line {line}: {message}
            </li>
          ))}
          {progress.failed > maxFaultsShown && <li>and {count(progress.failed - maxFaultsShown)} more</li>}
        </ul>
      )}
      <footer>
        <button type="button" onClick={onClose}>
          {isRunning ? 'Cancel' : 'Close'}
        </button>
        <button type="button" class="primary" disabled={!file || isRunning} onClick={start}>
          Import
        </button>
      </footer>
    </Dialog>
  );
}
