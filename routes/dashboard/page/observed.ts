import { useEffect, useState } from 'preact/hooks';

/** A value that parts of the page follow. */
export interface Observed<T> {
  get(): T;
  set(value: T): void;
  /** @returns ends it */
  onChange(listener: () => void): () => void;
}

export function observed<T>(initial: T): Observed<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const listener of [...listeners]) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Draws the component anew when the value changes. */
export function useObserved<T>(source: Observed<T>): T {
  const [value, setValue] = useState(source.get);
  useEffect(() => {
    const follow = () => setValue(source.get);
    // It may have changed between the drawing and now.
    follow();
    return source.onChange(follow);
  }, [source]);
  return value;
}
