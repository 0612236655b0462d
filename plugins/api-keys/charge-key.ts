import type { Limits } from '../limits/index.js';
import type { ChargeResult, LimitState } from '../limits/limit-state.js';
import type { Reservation } from '../limits/quota-counter.js';
import type { CheckOutcome } from './check-key.js';
import type { AuthenticatedKey } from './key-cache.js';

/** The result of charging a key that exists, is active and may be used from this address. */
export interface Charge extends Pick<Reservation, 'charges'> {
  outcome: Charged | 'RATE_LIMITED' | 'QUOTA_EXCEEDED';
  /** The states of all limits, and then of all quotas, of the key and its owner. Without quotas when the key lacks the scope. */
  states: readonly LimitState[];
}

type Charged = Extract<CheckOutcome, 'VALID' | 'INSUFFICIENT_SCOPE'>;

const noStates: readonly LimitState[] = [];
const noCharges: Charge['charges'] = [];

/**
 * Charges a check to all limits and quotas of a key, or to none if it exceeds one. Calls back synchronously when limits are counted in
 * memory.
 *
 * @param outcome of the check. Only a valid one is charged to quotas; one that lacks a scope counts for the limits
 * @param cost 0 to 1,000; 0 reads the states without charging
 */
export function chargeKey(
  { charge, quotas }: Limits,
  key: AuthenticatedKey,
  outcome: Charged,
  cost: number,
  charged: (result: Charge) => void,
): void {
  const { limits } = key;
  const ofKey = outcome === 'VALID' ? key.quotas : [];
  const reservation = quotas.reserve(ofKey, cost);
  // When a quota is used up, limits are only read.
  const limitCost = reservation.isExceeded ? 0 : cost;
  if (limits.length === 0) finish({ isExceeded: false, states: noStates });
  else charge(limits, limitCost, finish);

  function finish({ isExceeded, states }: ChargeResult) {
    const { charges } = reservation;
    if (reservation.isExceeded) charged({ outcome: 'QUOTA_EXCEEDED', states: withQuotas(states, cost), charges });
    else if (!isExceeded) charged({ outcome, states: withQuotas(states), charges });
    else {
      quotas.release(reservation);
      charged({ outcome: 'RATE_LIMITED', states: withQuotas(states), charges: noCharges });
    }
  }

  function withQuotas(states: readonly LimitState[], deniedCost?: number) {
    if (ofKey.length === 0) return states;
    return [...states, ...ofKey.map((quota) => quotas.limitStateOf(quota, deniedCost))];
  }
}
