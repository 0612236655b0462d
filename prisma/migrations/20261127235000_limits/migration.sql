-- AlterTable
ALTER TABLE "api_keys" ADD COLUMN     "quota" JSONB,
ADD COLUMN     "quotaId" TEXT,
ADD COLUMN     "quotaResetAt" TIMESTAMP(3),
ADD COLUMN     "rateLimits" JSONB;

-- The service reads them as an array and an object.
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_rateLimits_is_array" CHECK (jsonb_typeof("rateLimits") = 'array'),
ADD CONSTRAINT "api_keys_quota_is_valid" CHECK ("quota" IS NULL
  OR coalesce(jsonb_typeof("quota" -> 'limit') = 'number' AND "quota" ->> 'period' IN ('day', 'month'), false));

-- CreateTable
CREATE TABLE "owner_limits" (
    "ownerId" TEXT NOT NULL,
    "rateLimits" JSONB NOT NULL DEFAULT '[]',
    "quota" JSONB,
    "quotaResetAt" TIMESTAMP(3),
    "updatedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "owner_limits_pkey" PRIMARY KEY ("ownerId")
);

ALTER TABLE "owner_limits" ADD CONSTRAINT "owner_limits_rateLimits_is_array" CHECK (jsonb_typeof("rateLimits") = 'array'),
ADD CONSTRAINT "owner_limits_quota_is_valid" CHECK ("quota" IS NULL
  OR coalesce(jsonb_typeof("quota" -> 'limit') = 'number' AND "quota" ->> 'period' IN ('day', 'month'), false));

-- CreateTable
CREATE TABLE "quota_usage" (
    "kind" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "start" TIMESTAMP(3) NOT NULL,
    "shard" INTEGER NOT NULL,
    "used" BIGINT NOT NULL,

    CONSTRAINT "quota_usage_pkey" PRIMARY KEY ("kind", "id", "start", "shard")
);

-- CreateTable
CREATE TABLE "quota_thresholds" (
    "kind" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "start" TIMESTAMP(3) NOT NULL,
    "limit" BIGINT NOT NULL,
    "percent" INTEGER NOT NULL,

    CONSTRAINT "quota_thresholds_pkey" PRIMARY KEY ("kind", "id", "start", "limit", "percent")
);

-- Updated with each batch: with free space on the page, updates do not touch the index.
ALTER TABLE "quota_usage" SET (fillfactor = 50);

-- The start of the window in which a quota counts now: of the day or month, or when the quota was reset.
CREATE FUNCTION quota_window(quota jsonb, "resetAt" timestamp) RETURNS timestamp LANGUAGE sql STABLE AS $$
  SELECT greatest(date_trunc(CASE quota ->> 'period' WHEN 'day' THEN 'day' ELSE 'month' END, now() AT TIME ZONE 'UTC'), "resetAt")
$$;

-- Each replica invalidates the cached keys of the owner. One payload for all of them, because an owner can have many keys.
CREATE FUNCTION owner_limits_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE jsonb_strip_nulls(to_jsonb(OLD)) END;
  after jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE jsonb_strip_nulls(to_jsonb(NEW)) END;
  owner text := coalesce(after ->> 'ownerId', before ->> 'ownerId');
  changes jsonb;
  actor jsonb := coalesce(nullif(current_setting('musicez.actor', true), ''), '{"actor": "sql"}');
BEGIN
  IF before - 'updatedAt' = after - 'updatedAt' THEN
    RETURN NULL;
  END IF;
  PERFORM pg_notify('musicez_api_keys', 'owner:' || owner);
  IF before ->> 'ownerId' <> owner THEN
    PERFORM pg_notify('musicez_api_keys', 'owner:' || (before ->> 'ownerId'));
  END IF;
  SELECT coalesce(jsonb_object_agg(field, jsonb_build_object('from', before -> field, 'to', after -> field)), '{}')
    INTO changes
    FROM unnest(ARRAY['rateLimits', 'quota', 'quotaResetAt']) AS field
    WHERE before -> field IS DISTINCT FROM after -> field;
  EXECUTE format(
    'INSERT INTO %1$I.api_key_events (id, "apiKeyId", action, actor, "actorKeyId", ip, changes, "createdAt", "ownerId")
     VALUES (%1$I.api_key_event_id(), '''', ''owner-limits'', $1, $2, $3, $4, clock_timestamp() AT TIME ZONE ''UTC'', $5)',
    TG_TABLE_SCHEMA)
    USING actor ->> 'actor', actor ->> 'keyId', actor ->> 'ip', changes, owner;
  RETURN NULL;
END
$$;
CREATE TRIGGER owner_limits_changed AFTER INSERT OR UPDATE OR DELETE ON "owner_limits"
  FOR EACH ROW EXECUTE FUNCTION owner_limits_changed();

-- As for keys: without a payload for each owner.
CREATE TRIGGER owner_limits_emptied AFTER TRUNCATE ON "owner_limits"
  FOR EACH STATEMENT EXECUTE FUNCTION api_keys_emptied();
