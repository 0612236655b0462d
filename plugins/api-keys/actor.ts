import type { FastifyRequest } from 'fastify';

/** Who changes a key, as recorded in its events. */
export interface Actor {
  /** A request with an API key, the command line, or the service itself. */
  actor: 'api-key' | 'cli' | 'service';
  /** The id of the key that made the change. */
  keyId?: string;
  ip?: string;
  /** The scopes of that key, which bound what it may grant and change. Undefined: all. */
  scopes?: readonly string[];
}

/** The key and address of a request. */
export function actorOf({ apiKey, ip }: FastifyRequest): Actor {
  return { actor: 'api-key', keyId: apiKey.id, ip, scopes: apiKey.scopes };
}
