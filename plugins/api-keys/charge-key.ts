import type { Limits } from '../limits/index.js';
import type { Reservation } from '../limits/quotas.js';
import type { LimitState } from '../limits/rate-limit-state.js';
import type { CheckOutcome } from './check-key.js';
import type { AuthenticatedKey } from './key-cache.js';

/** The result of charging a key that works. */
export interface Charge extends Pick<Reservation, 'charges'> {
  outcome: CheckOutcome | 'RATE_LIMITED' | 'QUOTA_EXCEEDED';
  /** The states of all limits and quotas of the key and its owner, in the order of the key's. */
  states: readonly LimitState[];
}

const noStates: readonly LimitState[] = [];
const noCharges: Charge['charges'] = [];

/**
 * Charges a check to all limits and quotas of a key, or to none if it exceeds one. Calls back synchronously when limits are counted in
 * memory.
 *
 * @param outcome of the check. Only a valid one is charged to quotas; one that lacks a scope counts for the limits
 * @param cost 0 to 1,000; 0 asks without charging
 */
export function chargeKey(
  { charge, quotas }: Limits,
  key: AuthenticatedKey,
  outcome: CheckOutcome,
  cost: number,
  charged: (result: Charge) => void,
): void {
  const { limits } = key;
  const ofKey = outcome === 'VALID' ? key.quotas : [];
  const reservation = quotas.reserve(ofKey, cost);
  if (reservation.isExceeded) {
    const states = ofKey.map((quota) => quotas.limitStateOf(quota, cost));
    charged({ outcome: 'QUOTA_EXCEEDED', states, charges: noCharges });
  } else if (limits.length === 0) allow(noStates);
  else
    charge(limits, cost, ({ isExceeded, states }) => {
      if (isExceeded) deny(states);
      else allow(states);
    });

  function allow(states: readonly LimitState[]) {
    const ofQuotas = ofKey.map((quota) => quotas.limitStateOf(quota));
    charged({
      outcome,
      states: ofQuotas.length === 0 ? states : [...states, ...ofQuotas],
      charges: reservation.charges,
    });
  }

  function deny(states: readonly LimitState[]) {
    quotas.release(reservation);
    charged({ outcome: 'RATE_LIMITED', states, charges: noCharges });
  }
}
