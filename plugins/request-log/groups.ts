import type { RequestLogRow } from './row.js';

/** The fields of each kind of group. */
export const groupFields = {
  error: ['method', 'route', 'statusCode'],
  route: ['method', 'route'],
  ip: ['ip'],
  userAgent: ['userAgent'],
  apiKeyId: ['apiKeyId'],
  ownerId: ['ownerId'],
} as const satisfies Record<string, (keyof RequestLogRow)[]>;
export type GroupKind = keyof typeof groupFields;

/** Reading more requests takes too long at 20,000,000 rows. */
export const maxGroupedRequests = 5_000;
export const maxGroups = 100;

/** Requests with the same values of the fields of a kind of group. */
export interface RequestGroup extends Partial<Pick<RequestLogRow, (typeof groupFields)[GroupKind][number]>> {
  count: number;
  firstSeen: Date;
  lastSeen: Date;
  /** How many keys the requests had. */
  keyCount: number;
}

export interface RequestGroups {
  /** Up to `maxGroups`, largest first. */
  groups: RequestGroup[];
  /** Only requests after this time are counted; null when all are. */
  readSince: Date | null;
}
