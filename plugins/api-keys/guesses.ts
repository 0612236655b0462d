import { normalizeIP } from '@fastify/rate-limit';
import type { Limits } from '../limits/index.js';
import { guessesLimited, refusalOf } from './errors.js';

/** Unknown keys from one address that are answered as such, in a minute. */
const guessesPerMinute = 60;

/** What is longer is no address, whatever the header field says that it came in. */
const longestAddress = 64;

/**
 * Refuses an unknown key, and slows down who tries many out. A valid key from the same address never comes here.
 *
 * @param refuse told the answer
 */
export function refuseGuess(limits: Limits, ip: string, refuse: (answer: Error) => void): void {
  // Of IPv6 a household or a rented server has a whole /64.
  const address = normalizeIP(ip.slice(0, longestAddress), 64);
  // Copied, because a part of a string keeps the whole in memory for as long as it is counted.
  const id = Buffer.from(address, 'latin1').toString('latin1');
  limits.count({ kind: 'guesser', id, limit: guessesPerMinute }, (standing) =>
    refuse(standing.exceeded ? guessesLimited(standing) : refusalOf('NOT_FOUND')),
  );
}
