import { useEffect, useRef, useState } from 'preact/hooks';
import { download } from '../download.js';
import { Failed } from '../parts/part.js';

/** Saves all keys as a file that another service can import. */
export function ExportKeys() {
  const [state, setState] = useState<Error | 'running' | null>(null);
  const unmountController = useRef(new AbortController());
  useEffect(() => () => unmountController.current.abort(), []);

  async function start() {
    setState('running');
    const { signal } = unmountController.current;
    try {
      await download('/v1/api-keys/export', {}, { name: 'api-keys.ndjson', signal, onProgress: () => {} });
      setState(null);
    } catch (error) {
      if (!signal.aborted) setState(error as Error);
    }
  }

  return (
    <>
      <button type="button" disabled={state === 'running'} onClick={start}>
        {state === 'running' ? 'Exporting…' : 'Export'}
      </button>
      {state instanceof Error && <Failed error={state} retry={start} />}
    </>
  );
}
