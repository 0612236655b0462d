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

const noLimits: ChargeResult = { isExceeded: false, states: [] };
const noQuotas: AuthenticatedKey['quotas'] = [];
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
  const ofKey = outcome === 'VALID' ? key.quotas : noQuotas;
  const reservation = quotas.reserve(ofKey, cost);
  // When a quota is used up, limits are only read.
  const limitCost = reservation.isExceeded ? 0 : cost;
  if (limits.length === 0) charged(resultOf(quotas, ofKey, reservation, outcome, cost, noLimits));
  else charge(limits, limitCost, (result) => charged(resultOf(quotas, ofKey, reservation, outcome, cost, result)));
}

/** The result of charging both limits and quotas. Releases the reservation when a limit is exceeded. */
function resultOf(
  quotas: Limits['quotas'],
  ofKey: AuthenticatedKey['quotas'],
  reservation: Reservation,
  outcome: Charged,
  cost: number,
  { isExceeded, states: ofLimits }: ChargeResult,
): Charge {
  const isDenied = !reservation.isExceeded && isExceeded;
  if (isDenied) quotas.release(reservation);
  const deniedCost = reservation.isExceeded ? cost : undefined;
  const states =
    ofKey.length === 0 ? ofLimits : [...ofLimits, ...ofKey.map((quota) => quotas.limitStateOf(quota, deniedCost))];
  if (isDenied) return { outcome: 'RATE_LIMITED', states, charges: noCharges };
  return { outcome: reservation.isExceeded ? 'QUOTA_EXCEEDED' : outcome, states, charges: reservation.charges };
}
