/** The scope that includes all others. */
export const adminScope = 'admin';

/** The scopes of this service's own routes. */
export const keysRead = 'keys:read';
export const keysWrite = 'keys:write';
export const logsRead = 'logs:read';
export const verifyScope = 'verify';

/** The pattern of a scope that a route requires. */
export const scopePattern = '^[a-z0-9:_.-]{1,64}$';

/** The pattern of a scope of a key: also `orders:*`, which includes every scope that begins with `orders:`. */
export const grantedScopePattern = '^([a-z0-9:_.-]{1,64}|[a-z0-9:_.-]{0,61}[a-z0-9_.-]:\\*)$';

/**
 * Whether a key with these scopes may do what `scope` protects.
 *
 * @param scope also one that ends in `:*`, which a key includes with the same or a shorter one
 */
export function allows({ scopes }: { scopes: readonly string[] }, scope: string): boolean {
  return scopes.includes(scope) || scopes.includes(adminScope) || scopes.some((granted) => includes(granted, scope));
}

function includes(granted: string, scope: string): boolean {
  return granted.endsWith(':*') && scope.startsWith(granted.slice(0, -1));
}
