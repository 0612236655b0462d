-- In a migration of their own: building an index of a large table takes long, and lets others read it. Adding a column, which does
-- not, is quick.

-- CreateIndex
CREATE INDEX "api_keys_ownerId_id_idx" ON "api_keys"("ownerId", "id");

-- CreateIndex
CREATE INDEX "api_keys_expiresAt_idx" ON "api_keys"("expiresAt");

-- CreateIndex
CREATE INDEX "api_keys_scopes_idx" ON "api_keys" USING GIN ("scopes");

-- The following indexes are unknown to Prisma, which leaves them alone.

CREATE INDEX "api_keys_inactive_idx" ON "api_keys"("id") WHERE NOT "active";

-- A key that was never used counts as unused since its creation. By day: an index on "lastUsed" would turn each use of a key into
-- a write to all indexes.
CREATE INDEX "api_keys_unused_idx" ON "api_keys"((coalesce("lastUsedDay", "createdAt"::date)));

-- All parts of three characters, for a search in the middle of a name without the extension pg_trgm, which not every role may
-- create.
CREATE FUNCTION api_key_trigrams(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(DISTINCT substr(lower($1), n, 3)), '{}') FROM generate_series(1, length(lower($1)) - 2) AS n
$$;
CREATE INDEX "api_keys_search_idx" ON "api_keys" USING GIN (api_key_trigrams("start" || ' ' || "name"));

-- To find out at once whether there are any. Prisma does not know the index and leaves it alone.
CREATE INDEX "api_keys_foreign_idx" ON "api_keys"("id") WHERE "isForeign";

-- Always uses this index: without statistics, PostgreSQL would scan the table.
CREATE FUNCTION api_keys_have_foreign() RETURNS boolean LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
  RETURN EXISTS (SELECT FROM api_keys WHERE "isForeign");
END
$$;
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION api_keys_have_foreign() SET search_path = %I, pg_temp', current_schema());
END
$$;

-- CreateIndex
CREATE INDEX "api_key_events_ownerId_id_idx" ON "api_key_events"("ownerId", "id");

-- CreateIndex
CREATE INDEX "api_key_events_action_id_idx" ON "api_key_events"("action", "id");

-- CreateIndex
CREATE INDEX "api_key_events_actor_id_idx" ON "api_key_events"("actor", "id");

-- CreateIndex
CREATE INDEX "api_key_events_createdAt_idx" ON "api_key_events"("createdAt");
