-- AlterTable
ALTER TABLE "api_keys" ADD COLUMN     "lastUsedDay" DATE,
ADD COLUMN     "metadata" JSONB,
ADD COLUMN     "ownerId" TEXT;

-- The dashboard and the API read metadata as an object.
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_metadata_is_object" CHECK (jsonb_typeof("metadata") = 'object');

-- As before, and without the day of the last use, which is no change of the key either.
CREATE OR REPLACE FUNCTION api_key_fields(jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_strip_nulls($1 - ARRAY['id', 'key', 'createdAt', 'updatedAt', 'lastUsed', 'lastUsedDay'])
$$;
CREATE OR REPLACE TRIGGER api_key_updated AFTER UPDATE ON "api_keys"
  FOR EACH ROW
  WHEN (to_jsonb(OLD) - ARRAY['updatedAt', 'lastUsed', 'lastUsedDay']
    IS DISTINCT FROM to_jsonb(NEW) - ARRAY['updatedAt', 'lastUsed', 'lastUsedDay'])
  EXECUTE FUNCTION api_key_changed();
