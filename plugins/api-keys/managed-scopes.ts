import type { Actor } from './actor.js';
import { scopeExceeded } from './errors.js';
import { allows } from './scopes.js';

/** @throws scopeExceeded when the key has a scope that the actor lacks */
export function assertMayManage(by: Actor, key: { scopes?: string[] | undefined }): void {
  const scope = exceedingScope(by, key);
  if (scope !== undefined) throw scopeExceeded(scope);
}

/** A scope of the key that the actor lacks. */
export function exceedingScope(
  { scopes: own }: Actor,
  { scopes = [] }: { scopes?: string[] | undefined },
): string | undefined {
  return own && scopes.find((scope) => !allows({ scopes: own }, scope));
}
