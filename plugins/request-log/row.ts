/** A row of the request log. */
export interface RequestLogRow {
  /** A UUIDv7 with the time of arrival. */
  id: string;
  createdAt: Date;
  method: string;
  path: string;
  statusCode: number;
  /** Milliseconds. */
  duration: number;
  ip: string;
  userAgent: string | null;
  apiKeyId: string | null;
  /** The template of the path; empty: no route matched; null in rows of older versions. */
  route: string | null;
  outcome: string | null;
  ownerId: string | null;
  verifiedApiKeyId: string | null;
  /** The JSON value of `VerifiedClient`. */
  verification: unknown;
  traceId: string | null;
}
