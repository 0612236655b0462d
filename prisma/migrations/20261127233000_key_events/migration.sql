-- AlterTable
ALTER TABLE "api_key_events" ADD COLUMN     "ownerId" TEXT;

-- As before, and with the owner of the key.
CREATE OR REPLACE FUNCTION api_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := '{}';
  after jsonb := '{}';
  changes jsonb;
  action text := 'updated';
  -- Set by the service for the transaction; empty after an earlier transaction has set it.
  actor jsonb := coalesce(nullif(current_setting('musicez.actor', true), ''), '{"actor": "sql"}');
BEGIN
  IF TG_OP <> 'INSERT' THEN
    EXECUTE format('SELECT %I.api_key_fields($1)', TG_TABLE_SCHEMA) INTO before USING to_jsonb(OLD);
    PERFORM pg_notify('musicez_api_keys', OLD.key);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    EXECUTE format('SELECT %I.api_key_fields($1)', TG_TABLE_SCHEMA) INTO after USING to_jsonb(NEW);
    PERFORM pg_notify('musicez_api_keys', NEW.key);
  END IF;

  SELECT coalesce(jsonb_object_agg(field, jsonb_build_object('from', before -> field, 'to', after -> field)), '{}')
    INTO changes
    FROM jsonb_object_keys(before || after) AS field
    WHERE before -> field IS DISTINCT FROM after -> field;

  IF TG_OP = 'INSERT' THEN
    action := 'created';
  ELSIF TG_OP = 'DELETE' THEN
    action := 'deleted';
  ELSIF OLD."replacedBy" IS NULL AND NEW."replacedBy" IS NOT NULL THEN
    action := 'rotated';
  ELSIF OLD.active <> NEW.active THEN
    action := CASE WHEN NEW.active THEN 'enabled' ELSE 'disabled' END;
  END IF;

  EXECUTE format(
    'INSERT INTO %1$I.api_key_events (id, "apiKeyId", action, actor, "actorKeyId", ip, changes, "createdAt", "ownerId")
     VALUES (%1$I.api_key_event_id(), $1, $2, $3, $4, $5, $6, clock_timestamp() AT TIME ZONE ''UTC'', $7)',
    TG_TABLE_SCHEMA)
    USING CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END,
      action, actor ->> 'actor', actor ->> 'keyId', actor ->> 'ip', changes,
      CASE WHEN TG_OP = 'DELETE' THEN OLD."ownerId" ELSE NEW."ownerId" END;
  RETURN NULL;
END
$$;

-- Only the retention may delete events.
CREATE OR REPLACE FUNCTION api_key_events_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('musicez.expires_events', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'api_key_events is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Deletes events of days before this one. Runs with the rights of the role that migrates: the service may not delete events itself.
CREATE FUNCTION api_key_events_expire(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM set_config('musicez.expires_events', 'on', true);
  DELETE FROM api_key_events WHERE "createdAt" < day AND "createdAt" < (now() AT TIME ZONE 'UTC')::date;
  PERFORM set_config('musicez.expires_events', 'off', true);
END
$$;
REVOKE EXECUTE ON FUNCTION api_key_events_expire(date) FROM PUBLIC;
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION api_key_events_expire(date) SET search_path = %I, pg_temp', current_schema());
END
$$;
