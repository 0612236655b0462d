import { type Static, Type } from '@sinclair/typebox';
import { Id, Timestamp } from '../../routes/fields.js';

/** What `/v1/me` answers, as `routes/me.ts` has it; the benchmark checks that all say the same, byte by byte. */
export const Me = Type.Object({
  id: Id,
  name: Type.String(),
  start: Type.String(),
  scopes: Type.Array(Type.String()),
  expiresAt: Type.Union([Timestamp, Type.Null()]),
});

/** The calling key in this run: what this service answered. */
export function readMe(): Static<typeof Me> {
  return JSON.parse(process.env.BENCH_ME ?? '') as Static<typeof Me>;
}
