import type { FastifyRequest, HookHandlerDoneFunction } from 'fastify';

const pending = Symbol('pending check');
type CheckedRequest = FastifyRequest & { [pending]?: Promise<unknown> | undefined };

/**
 * The check of a key that waits for the database or Redis. The record of the request waits for it too, so that the check is
 * counted even if the client disconnects.
 */
export function pendingCheckOf(request: FastifyRequest): Promise<unknown> | undefined {
  return (request as CheckedRequest)[pending];
}

/** Marks the check of a key as pending until the promise settles. @returns the promise */
export function trackCheck<T>(request: FastifyRequest, check: Promise<T>): Promise<T> {
  const tracked: CheckedRequest = request;
  tracked[pending] = check;
  return check.finally(() => {
    tracked[pending] = undefined;
  });
}

/** Marks the check of a key as pending until the returned function is called, which calls `done`. */
export function untilChecked(request: FastifyRequest, done: HookHandlerDoneFunction): HookHandlerDoneFunction {
  const tracked: CheckedRequest = request;
  let settle = () => {};
  tracked[pending] = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return (error) => {
    tracked[pending] = undefined;
    settle();
    done(error);
  };
}
