import { useEffect, useRef } from 'preact/hooks';

/**
 * Holds a list while the user points at it, has the focus in it, or has scrolled down, so that nothing moves under the pointer.
 *
 * @returns the handlers of the element around the list
 */
export function useHold(hold: () => void, release: () => void) {
  const reasons = useRef(new Set<string>());
  const latest = useRef({ hold, release });
  latest.current = { hold, release };

  function set(reason: string, isThere: boolean) {
    const { size } = reasons.current;
    if (isThere) reasons.current.add(reason);
    else reasons.current.delete(reason);
    if (size === 0 && reasons.current.size > 0) latest.current.hold();
    if (size > 0 && reasons.current.size === 0) latest.current.release();
  }

  useEffect(() => {
    const follow = () => set('scroll', window.scrollY > 0);
    window.addEventListener('scroll', follow, { passive: true });
    return () => window.removeEventListener('scroll', follow);
  }, []);

  return {
    // Only a mouse hovers. A tap must not hold the list.
    onPointerEnter: ({ pointerType }: { pointerType: string }) => pointerType === 'mouse' && set('pointer', true),
    onPointerLeave: () => set('pointer', false),
    onFocusIn: () => set('focus', true),
    onFocusOut: ({ currentTarget, relatedTarget }: FocusEvent) => {
      const isInside = relatedTarget instanceof Node && (currentTarget as Element).contains(relatedTarget);
      if (!isInside) set('focus', false);
    },
  };
}
