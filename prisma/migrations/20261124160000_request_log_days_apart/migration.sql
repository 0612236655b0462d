-- Each day is dropped in a transaction of its own, and not in the one that makes days: so none holds a lock that a reader
-- waits for while it waits for the reader's, one that cannot be dropped keeps no other from being made or dropped, and any
-- number may be over their time.

DROP FUNCTION request_logs_keep(int, date);

-- As before, but of two that make the same day one finds it made.
CREATE OR REPLACE FUNCTION request_logs_add_day(day date) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  name text := 'request_logs_' || to_char(day, 'YYYYMMDD');
  first_id text := request_logs_first_id(day);
  end_id text := request_logs_first_id(day + 1);
BEGIN
  IF to_regclass(name) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE request_logs_default IN ACCESS EXCLUSIVE MODE;
  IF to_regclass(name) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE request_logs INCLUDING DEFAULTS)', name);
  EXECUTE format(
    'WITH moved AS (DELETE FROM request_logs_default WHERE id >= $1 AND id < $2 RETURNING *) INSERT INTO %I SELECT * FROM moved',
    name) USING first_id, end_id;
  EXECUTE format('ALTER TABLE request_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first_id, end_id);
  RETURN true;
END
$$;

-- Makes the tables of yesterday to a week ahead, and of up to thirty days that rows in the default one are of, none older
-- than so many days (0: whatever their age). The days that were made; null while somebody else is at it. Gives up rather
-- than make requests wait behind a lock.
CREATE FUNCTION request_logs_add_days(retention_days int, today date) RETURNS date[]
LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
  oldest date := CASE WHEN retention_days > 0 THEN today - retention_days ELSE date '1970-01-01' END;
  added date[] := '{}';
  day date;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7164274) THEN
    RETURN NULL;
  END IF;
  FOR day IN
    SELECT today + n FROM generate_series(-1, 7) AS n
    UNION
    (SELECT strays.day FROM (SELECT DISTINCT request_logs_day(id) AS day FROM request_logs_default) AS strays
     WHERE strays.day >= oldest AND strays.day <= today + 7 ORDER BY 1 DESC LIMIT 30)
    ORDER BY 1
  LOOP
    IF request_logs_add_day(day) THEN
      added := added || day;
    END IF;
  END LOOP;
  RETURN added;
END
$$;

-- The days that have a table, and ended before this one.
CREATE FUNCTION request_logs_days_before(day date) RETURNS SETOF date LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT * FROM (
    SELECT to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') AS day FROM pg_inherits
    WHERE inhparent = 'request_logs'::regclass AND inhrelid::regclass::text ~ 'request_logs_\d{8}$'
  ) AS days WHERE days.day < $1 ORDER BY 1
$$;

-- Drops the table of a day; false if it has none any more, or somebody else is at it.
CREATE FUNCTION request_logs_drop_day(day date) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
  name text := 'request_logs_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF NOT pg_try_advisory_xact_lock(7164274) OR to_regclass(name) IS NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('DROP TABLE %I', name);
  RETURN true;
END
$$;

-- Deletes the rows in the default table of days before this one. An id that is no UUIDv7 tells no day; its row does.
CREATE FUNCTION request_logs_drop_strays(day date) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
  DELETE FROM request_logs_default WHERE coalesce(request_logs_day(id), "createdAt"::date) < $1
$$;
