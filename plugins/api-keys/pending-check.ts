import type { FastifyRequest, HookHandlerDoneFunction } from 'fastify';

const pending = Symbol('pending check');
type CheckedRequest = FastifyRequest & { [pending]?: Promise<unknown> | undefined };

/**
 * The check of the key that a request presented, while it waits for the database or Redis; otherwise undefined. The request log
 * writes its row after the check, so that a check is counted even if the client disconnects.
 */
export function pendingCheckOf(request: FastifyRequest): Promise<unknown> | undefined {
  return (request as CheckedRequest)[pending];
}

/** Marks the check of a key as pending until the promise settles. @returns a promise with the same result */
export function trackCheck<T>(request: FastifyRequest, check: Promise<T>): Promise<T> {
  const tracked: CheckedRequest = request;
  tracked[pending] = check;
  return check.finally(() => {
    tracked[pending] = undefined;
  });
}

/** Wraps `done`: the check of the key is pending until the returned function is called. */
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
