import type { ComponentChildren } from 'preact';

/** Names with what there is to say of them, one below the other. */
export function Facts({ children }: { children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>;
}

interface FactProps {
  name: string;
  /** `warn`: wants attention. `bad`: something is lost or broken. */
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
