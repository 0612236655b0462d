-- Digests of keys that were deleted. BOOTSTRAP_ADMIN_KEY names a key for as long as it is set, and must not bring one back
-- that somebody has deleted.
CREATE TABLE "retired_api_keys" (
    "key" TEXT NOT NULL,
    "apiKeyId" TEXT NOT NULL,
    "retiredAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "retired_api_keys_pkey" PRIMARY KEY ("key")
);

-- Runs with the rights of the role that migrates: a role that may only delete keys needs no others.
CREATE FUNCTION api_key_retired() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO retired_api_keys SELECT key, id, clock_timestamp() AT TIME ZONE 'UTC' FROM api_keys ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO retired_api_keys VALUES (OLD.key, OLD.id, clock_timestamp() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER api_key_deleted AFTER DELETE ON "api_keys" FOR EACH ROW EXECUTE FUNCTION api_key_retired();
CREATE TRIGGER api_key_replaced AFTER UPDATE OF "key" ON "api_keys"
  FOR EACH ROW WHEN (OLD.key <> NEW.key) EXECUTE FUNCTION api_key_retired();
CREATE TRIGGER api_keys_truncated BEFORE TRUNCATE ON "api_keys" FOR EACH STATEMENT EXECUTE FUNCTION api_key_retired();

-- Bootstrap keys that were deleted before this table was there. Their digests are gone: the service fills in the one that its
-- variable names when it starts next, see ApiKeyStore.adopt.
INSERT INTO "retired_api_keys" ("key", "apiKeyId", "retiredAt")
SELECT 'bootstrap:' || "apiKeyId", "apiKeyId", CURRENT_TIMESTAMP AT TIME ZONE 'UTC' FROM "api_key_events" AS events
WHERE action = 'created' AND actor = 'service' AND changes -> 'name' ->> 'to' = 'bootstrap'
  AND NOT EXISTS (SELECT FROM "api_keys" WHERE id = events."apiKeyId")
ON CONFLICT DO NOTHING;

-- Times that JavaScript cannot read are repaired, and kept out from now on. "infinity" is never.
CREATE FUNCTION api_key_time_is_sane(timestamp) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT $1 IS NULL OR ($1 >= timestamp '1970-01-01' AND $1 < timestamp '10000-01-01')
$$;

SELECT set_config('musicez.actor', '{"actor": "service"}', true);
UPDATE "api_keys" SET
  "expiresAt" = CASE WHEN api_key_time_is_sane("expiresAt") THEN "expiresAt"
    WHEN "expiresAt" > timestamp '1970-01-01' THEN NULL ELSE timestamp '1970-01-01' END,
  "lastUsed" = CASE WHEN api_key_time_is_sane("lastUsed") THEN "lastUsed" END,
  "createdAt" = CASE WHEN api_key_time_is_sane("createdAt") THEN "createdAt" ELSE timestamp '1970-01-01' END,
  "updatedAt" = CASE WHEN api_key_time_is_sane("updatedAt") THEN "updatedAt" ELSE timestamp '1970-01-01' END
WHERE NOT (api_key_time_is_sane("expiresAt") AND api_key_time_is_sane("lastUsed")
  AND api_key_time_is_sane("createdAt") AND api_key_time_is_sane("updatedAt"));

CREATE FUNCTION api_key_never_expires() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW."expiresAt" := NULL;
  RETURN NEW;
END
$$;

CREATE TRIGGER api_key_never_expires BEFORE INSERT OR UPDATE OF "expiresAt" ON "api_keys"
  FOR EACH ROW WHEN (NEW."expiresAt" = 'infinity') EXECUTE FUNCTION api_key_never_expires();

ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_times_are_sane" CHECK (
  coalesce("expiresAt", '2000-01-01') >= '1970-01-01' AND coalesce("expiresAt", '2000-01-01') < '10000-01-01'
  AND coalesce("lastUsed", '2000-01-01') >= '1970-01-01' AND coalesce("lastUsed", '2000-01-01') < '10000-01-01'
  AND "createdAt" >= '1970-01-01' AND "createdAt" < '10000-01-01'
  AND "updatedAt" >= '1970-01-01' AND "updatedAt" < '10000-01-01'
);

DROP FUNCTION api_key_time_is_sane(timestamp);

-- Partitions are created and dropped with the rights of the role that migrates, so that the service can run as one that may
-- change no table: docs/operations.md has its grants. Temporary tables come last: a caller's own must not stand
-- in for the service's.
ALTER FUNCTION request_logs_add_day(date) SECURITY DEFINER;
ALTER FUNCTION request_logs_add_days(int, date) SECURITY DEFINER;
ALTER FUNCTION request_logs_drop_day(date) SECURITY DEFINER;
ALTER FUNCTION request_logs_drop_strays(date) SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION request_logs_add_day(date), request_logs_add_days(int, date), request_logs_drop_day(date),
  request_logs_drop_strays(date), api_key_retired() FROM PUBLIC;

DO $$
DECLARE
  name regprocedure;
BEGIN
  FOREACH name IN ARRAY ARRAY['request_logs_add_day(date)', 'request_logs_add_days(int, date)', 'request_logs_drop_day(date)',
    'request_logs_drop_strays(date)', 'api_key_retired()']::regprocedure[]
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
  END LOOP;
END
$$;
