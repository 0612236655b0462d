import { type Static, Type } from '@sinclair/typebox';
import { Id, Timestamp } from '../../routes/fields.js';

/** The response of `/v1/me`, as in `routes/me.ts`. The benchmark checks that all servers send the same bytes. */
export const Me = Type.Object({
  id: Id,
  name: Type.String(),
  start: Type.String(),
  scopes: Type.Array(Type.String()),
  expiresAt: Type.Union([Timestamp, Type.Null()]),
  ownerId: Type.Union([Type.String(), Type.Null()]),
  metadata: Type.Null(),
  rateLimits: Type.Array(Type.Object({ name: Type.String(), limit: Type.Integer(), windowSeconds: Type.Integer() })),
  quota: Type.Null(),
  ownerQuota: Type.Null(),
});

/** The key of this run, as this service returned it. */
export function readMe(): Static<typeof Me> {
  return JSON.parse(process.env.BENCH_ME ?? '') as Static<typeof Me>;
}
