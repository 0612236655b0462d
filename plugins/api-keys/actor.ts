import type { FastifyRequest } from 'fastify';

/** Who changes a key, as its events tell it. */
export interface Actor {
  /** An API key, somebody at the command line, or the service itself. */
  actor: 'api-key' | 'cli' | 'service';
  /** The acting key. */
  keyId?: string;
  ip?: string;
}

/** The key that a request came with, and from where. */
export function actorOf({ apiKey, ip }: FastifyRequest): Actor {
  return { actor: 'api-key', keyId: apiKey.id, ip };
}
