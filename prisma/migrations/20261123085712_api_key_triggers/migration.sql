-- Whoever changes a key, be it the service, psql or Prisma Studio: every replica hears of it, and an event is kept.
-- A key's own use is no change: an update of "lastUsed" alone passes unnoticed.

-- The fields of a key that a change is told of. Never the digest: an event is read by people.
CREATE FUNCTION api_key_fields(jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_strip_nulls($1 - ARRAY['id', 'key', 'createdAt', 'updatedAt', 'lastUsed'])
$$;

-- A UUIDv7, so that events sort by time.
CREATE FUNCTION api_key_event_id() RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
      52, 1), 53, 1), 'hex')::uuid::text
$$;

-- Tables and functions are named by the trigger's own schema, since psql may look in another.
CREATE FUNCTION api_key_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := '{}';
  after jsonb := '{}';
  changes jsonb;
  action text := 'updated';
  -- Set by the service for the transaction; an empty string is what is left of a setting of an earlier one.
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
    'INSERT INTO %1$I.api_key_events (id, "apiKeyId", action, actor, "actorKeyId", ip, changes, "createdAt")
     VALUES (%1$I.api_key_event_id(), $1, $2, $3, $4, $5, $6, clock_timestamp() AT TIME ZONE ''UTC'')',
    TG_TABLE_SCHEMA)
    USING CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END,
      action, actor ->> 'actor', actor ->> 'keyId', actor ->> 'ip', changes;
  RETURN NULL;
END
$$;

CREATE TRIGGER api_key_added_or_removed AFTER INSERT OR DELETE ON "api_keys"
  FOR EACH ROW EXECUTE FUNCTION api_key_changed();

CREATE TRIGGER api_key_updated AFTER UPDATE ON "api_keys"
  FOR EACH ROW
  WHEN (to_jsonb(OLD) - ARRAY['updatedAt', 'lastUsed'] IS DISTINCT FROM to_jsonb(NEW) - ARRAY['updatedAt', 'lastUsed'])
  EXECUTE FUNCTION api_key_changed();

-- All keys at once: no key is named, and every replica forgets all.
CREATE FUNCTION api_keys_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('musicez_api_keys', '*');
  RETURN NULL;
END
$$;

CREATE TRIGGER api_keys_emptied AFTER TRUNCATE ON "api_keys"
  FOR EACH STATEMENT EXECUTE FUNCTION api_keys_emptied();

-- What has happened stays as it was.
CREATE FUNCTION api_key_events_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'api_key_events is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER api_key_events_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON "api_key_events"
  FOR EACH STATEMENT EXECUTE FUNCTION api_key_events_are_kept();
