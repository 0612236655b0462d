import type { ComponentChildren } from 'preact';

/** A list of names and values. */
export function Facts({ children }: { children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>;
}

interface FactProps {
  name: string;
  /** `warn`: needs attention. `bad`: something is lost or broken. */
  look?: 'warn' | 'bad' | undefined;
  children: ComponentChildren;
}

export function Fact({ name, look, children }: FactProps) {
  return (
    <>
      <dt>{name}</dt>
      <dd class={look}>{children}</dd>
    </>
  );
}
