import { useEffect, useState } from 'preact/hooks';

/** A value with subscribers. */
export interface Observed<T> {
  get(): T;
  set(value: T): void;
  /** @returns a function that unsubscribes */
  onChange(listener: () => void): () => void;
}

export function createObserved<T>(initial: T): Observed<T> {
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

/** Renders the component again when the value changes. */
export function useObserved<T>(source: Observed<T>): T {
  const [value, setValue] = useState(source.get);
  useEffect(() => {
    const update = () => setValue(source.get);
    // The value can change between the render and this effect.
    update();
    return source.onChange(update);
  }, [source]);
  return value;
}
