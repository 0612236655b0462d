-- One table a day: a day that is over its time is dropped rather than deleted row by row, and a question about a time
-- reads the days in question only. The id begins with the time of the request (UUIDv7), so it is what days are told by,
-- and the primary key stays the id alone.

ALTER TABLE "request_logs" RENAME TO "request_logs_before";
ALTER TABLE "request_logs_before" RENAME CONSTRAINT "request_logs_pkey" TO "request_logs_before_pkey";
ALTER INDEX "request_logs_createdAt_idx" RENAME TO "request_logs_before_createdAt_idx";
ALTER INDEX "request_logs_path_idx" RENAME TO "request_logs_before_path_idx";

CREATE TABLE "request_logs" (
    "id" TEXT COLLATE "C" NOT NULL,
    "method" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "statusCode" INTEGER NOT NULL,
    "duration" INTEGER NOT NULL,
    "ip" TEXT NOT NULL,
    "userAgent" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "apiKeyId" TEXT,

    CONSTRAINT "request_logs_pkey" PRIMARY KEY ("id")
) PARTITION BY RANGE ("id");
CREATE INDEX "request_logs_createdAt_idx" ON "request_logs"("createdAt");
CREATE INDEX "request_logs_path_idx" ON "request_logs"("path");

-- For rows whose day has no table: of a clock that is wrong, or of a time when nobody made any.
CREATE TABLE "request_logs_default" PARTITION OF "request_logs" DEFAULT;

-- The lowest id that a request of this day could have.
CREATE FUNCTION request_logs_first_id(day date) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7000-8000-000000000000'
  FROM lpad(to_hex((extract(epoch FROM day::timestamp) * 1000)::bigint), 12, '0') AS ms
$$;

-- The day of an id; null for one that is no UUIDv7.
CREATE FUNCTION request_logs_day(id text) RETURNS date LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN id ~ '^0[0-9a-f]{7}-[0-9a-f]{4}-7' THEN
    (timestamp 'epoch' + ('x' || substr(id, 1, 8) || substr(id, 10, 4))::bit(48)::bigint * interval '1 millisecond')::date
  END
$$;

-- Makes the table of a day and moves what there is of it out of the default one; false if it is there already.
CREATE FUNCTION request_logs_add_day(day date) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  name text := 'request_logs_' || to_char(day, 'YYYYMMDD');
  first_id text := request_logs_first_id(day);
  end_id text := request_logs_first_id(day + 1);
BEGIN
  IF to_regclass(name) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE request_logs_default IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE %I (LIKE request_logs INCLUDING DEFAULTS)', name);
  EXECUTE format(
    'WITH moved AS (DELETE FROM request_logs_default WHERE id >= $1 AND id < $2 RETURNING *) INSERT INTO %I SELECT * FROM moved',
    name) USING first_id, end_id;
  EXECUTE format('ALTER TABLE request_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first_id, end_id);
  RETURN true;
END
$$;

-- Makes the tables of yesterday to a week ahead, and of every day that rows in the default one are of; drops those that
-- ended more than so many days before today (0: none), and deletes rows in the default one that are as old. Nothing, and
-- no row, while somebody else is at it. Gives up rather than make requests wait behind a lock.
CREATE FUNCTION request_logs_keep(retention_days int, today date) RETURNS TABLE (added date[], dropped date[])
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  oldest date := CASE WHEN retention_days > 0 THEN today - retention_days ELSE date '1970-01-01' END;
  day date;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7164274) THEN
    RETURN;
  END IF;
  PERFORM set_config('lock_timeout', '2s', true);
  added := '{}';
  dropped := '{}';
  FOR day IN
    SELECT generate_series(greatest(today - 1, oldest), today + 7, interval '1 day')::date
    UNION
    SELECT strays.day FROM (SELECT DISTINCT request_logs_day(id) AS day FROM request_logs_default) AS strays
    WHERE strays.day >= oldest AND strays.day <= today + 7
    ORDER BY 1
  LOOP
    IF request_logs_add_day(day) THEN
      added := added || day;
    END IF;
  END LOOP;

  IF retention_days > 0 THEN
    FOR day IN
      SELECT to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') FROM pg_inherits
      WHERE inhparent = 'request_logs'::regclass AND inhrelid::regclass::text ~ 'request_logs_\d{8}$'
      ORDER BY 1
    LOOP
      EXIT WHEN day >= oldest;
      EXECUTE format('DROP TABLE %I', 'request_logs_' || to_char(day, 'YYYYMMDD'));
      dropped := dropped || day;
    END LOOP;
    DELETE FROM request_logs_default WHERE id < request_logs_first_id(oldest);
  END IF;
  RETURN NEXT;
END
$$;

-- The rows that are there move where they belong, if they are not too many to do it now. Else they stay where they are,
-- and docs/request-log.md says how to move them while the service runs.
DO $$
DECLARE
  day date;
BEGIN
  IF (SELECT count(*) FROM (SELECT FROM "request_logs_before" LIMIT 1000001) AS counted) > 1000000 THEN
    RETURN;
  END IF;
  FOR day IN SELECT DISTINCT request_logs_day(id) FROM "request_logs_before" LOOP
    IF day IS NOT NULL THEN
      PERFORM request_logs_add_day(day);
    END IF;
  END LOOP;
  INSERT INTO "request_logs" (id, method, path, "statusCode", duration, ip, "userAgent", "createdAt", "apiKeyId")
    SELECT id, method, path, "statusCode", duration, ip, "userAgent", "createdAt", "apiKeyId" FROM "request_logs_before";
  DROP TABLE "request_logs_before";
END
$$;
