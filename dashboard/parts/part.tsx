import type { ComponentChildren } from 'preact';
import { ApiError } from '../api.js';
import type { Loaded } from '../query-cache.js';
import { momentOf } from './time.js';

interface PartProps<T> {
  of: Loaded<T>;
  /** The name of the data, as in “Loading keys…”. */
  name: string;
  /** Whether there is no data, and the text to show then. */
  isEmpty?: (data: T) => boolean;
  empty?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}

/** Loaded data, or its state: loading, empty, failed, or failed with the last data still shown. */
export function Part<T>({ of, name, isEmpty, empty, children }: PartProps<T>) {
  const { data, loadedAt, error, refresh } = of;
  if (data === undefined) {
    return error ? <Failed error={error} retry={refresh} /> : <Loading name={name} />;
  }
  return (
    <>
      {error && <Failed error={error} retry={refresh} dataOf={loadedAt} />}
      <div class="part">{isEmpty?.(data) ? <Empty>{empty}</Empty> : children(data)}</div>
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

interface FailedProps {
  error: Error;
  retry: () => void;
  /** The time of the data below; undefined: there is none. */
  dataOf?: Date | undefined;
}

export function Failed({ error, retry, dataOf }: FailedProps) {
  return (
    <div class="failed" role="alert">
      <p>
        <strong>{titleOf(error)}</strong> {sentence(error.message)}{' '}
        {dataOf && `The data of ${momentOf(dataOf)} is shown.`}
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
