import type { ComponentChildren } from 'preact';
import { ApiError } from '../api.js';
import type { Polled } from '../polled.js';

interface PartProps<T> {
  of: Polled<T>;
  /** What is being waited for, as in “Loading keys…”. */
  name: string;
  /** Whether there is nothing to show, and what to say then. */
  isEmpty?: (data: T) => boolean;
  empty?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}

/** What was loaded, or why it is not there: loading, empty, failed, or failed with the last that came still shown. */
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

/** @param hasData whether something older is shown below */
export function Failed({ error, retry, hasData = false }: { error: Error; retry: () => void; hasData?: boolean }) {
  return (
    <div class="failed" role="alert">
      <p>
        <strong>{titleOf(error)}</strong> {sentence(error.message)} {hasData && 'What is shown is the last that came.'}
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
