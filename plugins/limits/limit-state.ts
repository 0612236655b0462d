import type { FastifyReply } from 'fastify';
import { PreparedResponse } from '../security-headers/prepared-response.js';

/** The state of a limit or a quota after a request. */
export interface LimitState {
  /** Its name in the response. */
  policy: string;
  limit: number;
  remaining: number;
  windowSeconds: number;
  /** Seconds until the window ends. */
  resetSeconds: number;
  /** The end of the window, in milliseconds since 1970; of quotas only. */
  resetsAt?: number;
  /** Whether it denied the request. */
  isExceeded: boolean;
}

/** The result of charging a request to limits. */
export interface ChargeResult {
  /** Whether one of the limits denied the request, so that nothing was charged. */
  isExceeded: boolean;
  /** In the order of the limits. */
  states: readonly LimitState[];
}

/** The state of a limit. @param leftMs of the window */
export function stateOf(
  { policy, limit, windowSeconds }: Pick<LimitState, 'policy' | 'limit' | 'windowSeconds'>,
  count: number,
  leftMs: number,
  isExceeded: boolean,
): LimitState {
  return {
    policy,
    limit,
    windowSeconds,
    remaining: Math.max(0, limit - count),
    // Rounded first: a sum of floating-point milliseconds can exceed the window by a fraction.
    resetSeconds: Math.ceil(Math.round(leftMs) / 1000),
    isExceeded,
  };
}

/** Adds the headers of limits to a response. */
export function addLimitHeaders(reply: FastifyReply, states: readonly LimitState[]): void {
  if (states.length === 0) return;
  if (reply.raw instanceof PreparedResponse) reply.raw.addLines(headerLines(states));
  else reply.headers(limitHeaders(states));
}

/** The same as text. Formatting costs most of a limit, so each line is formatted once. */
function headerLines(states: readonly LimitState[]): string {
  const { limit, remaining, resetSeconds } = tightestOf(states);
  return `ratelimit-policy: ${policiesOf(states)}\r\nratelimit: ${currentOf(states)}\r\nratelimit-limit: ${limit}\r\nratelimit-remaining: ${remaining}\r\nratelimit-reset: ${resetSeconds}\r\n`;
}

/**
 * The fields of draft 10, which name each limit, and the older ones, which have the values of the tightest.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
 */
export function limitHeaders(states: readonly LimitState[]) {
  const { limit, remaining, resetSeconds } = tightestOf(states);
  return {
    'ratelimit-policy': policiesOf(states),
    ratelimit: currentOf(states),
    'ratelimit-limit': `${limit}`,
    'ratelimit-remaining': `${remaining}`,
    'ratelimit-reset': `${resetSeconds}`,
  };
}

function policiesOf(states: readonly LimitState[]): string {
  let text = '';
  for (const { policy, limit, windowSeconds } of states)
    text = `${text}${text === '' ? '' : ', '}"${policy}";q=${limit};w=${windowSeconds}`;
  return text;
}

function currentOf(states: readonly LimitState[]): string {
  let text = '';
  for (const { policy, remaining, resetSeconds } of states)
    text = `${text}${text === '' ? '' : ', '}"${policy}";r=${remaining};t=${resetSeconds}`;
  return text;
}

/** The limit that denies longest, otherwise the one with the fewest remaining requests. */
export function tightestOf(states: readonly LimitState[]): LimitState {
  return states.reduce((tightest, state) => {
    if (state.isExceeded !== tightest.isExceeded) return state.isExceeded ? state : tightest;
    if (state.isExceeded) return state.resetSeconds > tightest.resetSeconds ? state : tightest;
    return state.remaining < tightest.remaining ? state : tightest;
  });
}
