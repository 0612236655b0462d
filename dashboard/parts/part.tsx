import type { ComponentChildren } from 'preact';
import { ApiError } from '../api.js';
import type { Polled } from '../polled.js';

interface PartProps<T> {
  of: Polled<T>;
  /** The name of the data, as in “Loading keys…”. */
  name: string;
  /** Whether there is no data, and the text to show then. */
  isEmpty?: (data: T) => boolean;
  empty?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}

/** Loaded data, or its state: loading, empty, failed, or failed with the last data still shown. */
export function Part<T>({ of, name, isEmpty, empty, children }: PartProps<T>) {
  const { data, error, isOutdated, refresh } = of;
  if (data === undefined) {
    return error ? <Failed error={error} retry={refresh} /> : <Loading name={name} />;
  }
  return (
    <>
      {error && <Failed error={error} retry={refresh} hasData />}
      <div class="part" aria-busy={isOutdated}>
        {isEmpty?.(data) ? <Empty>{empty}</Empty> : children(data)}
      </div>
    </>
  );
}

export function Loading({ name }: { name: string }) {
  return (
    <p class="nothing loading" role="status">
      Loading {name}…
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="nothing">{children}</p>;
}

/** @param hasData whether older data is shown below */
export function Failed({ error, retry, hasData = false }: { error: Error; retry: () => void; hasData?: boolean }) {
  return (
    <div class="failed" role="alert">
      <p>
        <strong>{titleOf(error)}</strong> {sentence(error.message)} {hasData && 'The last data is shown.'}
      </p>
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

function titleOf(error: Error): string {
  if (error instanceof ApiError) return `${error.problem.status} ${error.problem.title}.`;
  return 'No answer.';
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
