import { once } from 'node:events';
import { withDeadline } from '../../plugins/database/deadline.js';
import type { Database } from '../../plugins/database/open.js';
import { reasonOf } from '../../plugins/database/outage-log.js';
import { commandNames } from '../command-names.js';
import type { Config } from '../config/index.js';
import { type Check, type Finding, failed, ok, warning } from './finding.js';

const oldestVersion = 15;
const maxClockOffsetMs = 2_000;
const notificationDeadlineMs = 2_000;
const all = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
/** The grants of "With a restricted role" in docs/operations.md. */
const privileges: Record<string, string[]> = {
  system_health: ['SELECT'],
  api_key_events: ['SELECT', 'INSERT'],
  request_logs: ['SELECT', 'INSERT'],
  api_keys: all,
  owner_limits: all,
  retired_api_keys: all,
  request_stats: all,
  request_stats_by_key: all,
  key_usage: all,
  quota_usage: all,
  quota_thresholds: all,
  settled_batches: all,
};
const localHosts = ['localhost', '127.0.0.1', '::1', '[::1]', ''];

/** The checks of a database that answers, in their order. Checks of a server only are left out for the embedded database. */
export function checksOfDatabase(database: Database, config: Config): Record<string, Check> {
  const { pool, schema, quotedSchema, createClient, warnings, isEmbedded } = database;

  const migrations: Check = async () => {
    const pending = await database.pendingMigrations();
    if (pending.length === 0) return ok('all are applied');
    const count = `${pending.length} are pending`;
    if (!config.shouldMigrate) return failed(`${count}, and MIGRATE_ON_START is false: run ${commandNames.migrate}`);
    if (await mayCreate()) return ok(`${count}: the next start applies them`);
    return failed(
      `${count}, and the role may not create tables in schema "${schema}": grant CREATE, or use another role`,
    );
  };
  if (isEmbedded) return { migrations };
  return { version, writable, migrations, rights, tls, clock, notifications };

  async function version(): Promise<Finding> {
    const { rows } = await pool.query('SHOW server_version');
    const { server_version: text } = rows[0] as { server_version: string };
    if (Number.parseInt(text, 10) >= oldestVersion) return ok(`PostgreSQL ${text}`);
    return failed(`PostgreSQL ${text}: version ${oldestVersion} or newer is required`);
  }

  async function writable(): Promise<Finding> {
    const { rows } = await pool.query("SELECT current_setting('transaction_read_only')::bool AS is_read_only");
    return rows[0].is_read_only
      ? failed('the database is read-only, such as a standby: DATABASE_URL must name the primary')
      : ok('it accepts changes');
  }

  async function mayCreate(): Promise<boolean> {
    const { rows } = await pool.query(
      `SELECT CASE WHEN to_regnamespace($1) IS NULL THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege(to_regnamespace($1), 'CREATE') END AS may_create`,
      [quotedSchema],
    );
    return rows[0].may_create;
  }

  async function rights(): Promise<Finding> {
    const needed = Object.entries(privileges).flatMap(([table, each]) => each.map((privilege) => [table, privilege]));
    const { rows } = await pool.query(
      `SELECT relname AS name, string_agg(privilege, ', ') AS missing
      FROM unnest($2::text[], $3::text[]) AS needed (name, privilege)
      JOIN pg_class ON relname = needed.name AND relnamespace = to_regnamespace($1)
      WHERE NOT has_table_privilege(oid, privilege) GROUP BY relname ORDER BY relname`,
      [quotedSchema, needed.map(([table]) => table), needed.map(([, privilege]) => privilege)],
    );
    if (rows.length === 0) return ok('the role may read and write the tables');
    const missing = rows.map(({ name, missing }) => `${name} (${missing})`).join(', ');
    return failed(`the role lacks rights on ${missing}: see "With a restricted role" in docs/operations.md`);
  }

  async function tls(): Promise<Finding> {
    const { rows } = await pool.query('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    const [insecure] = warnings;
    if (insecure !== undefined) return warning(`DATABASE_URL ${insecure}`);
    if (rows[0]?.ssl) return ok(rows[0].version);
    const { hostname } = new URL(config.database.url ?? '');
    if (localHosts.includes(hostname)) return ok('not used: the database is on this machine');
    return warning('not used: add sslmode=verify-full to DATABASE_URL, unless the network is private');
  }

  async function clock(): Promise<Finding> {
    const before = Date.now();
    const { rows } = await pool.query('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms');
    const offsetMs = Math.round(rows[0].ms - (before + Date.now()) / 2);
    const text = `${Math.abs(offsetMs)} ms ${offsetMs < 0 ? 'behind' : 'ahead of'} this machine`;
    if (Math.abs(offsetMs) <= maxClockOffsetMs) return ok(text);
    return warning(`${text}: synchronize both clocks, such as with NTP`);
  }

  async function notifications(): Promise<Finding> {
    if (createClient === undefined) return ok('not needed');
    const channel = `musicez_doctor_${process.pid}`;
    const client = createClient();
    client.on('error', () => {});
    try {
      await withDeadline(client.connect(), notificationDeadlineMs);
      await client.query(`LISTEN ${channel}`);
      const received = once(client, 'notification');
      await pool.query(`NOTIFY ${channel}`);
      await withDeadline(received, notificationDeadlineMs);
      return ok('received');
    } catch (error) {
      return warning(
        `not received (${reasonOf(error)}): a pooler in transaction mode drops them, and changes of keys apply after KEY_CACHE_TTL_MS. Use a direct connection, or a pooler in session mode`,
      );
    } finally {
      await client.end().catch(() => {});
    }
  }
}
