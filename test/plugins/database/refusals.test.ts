import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { clientOf, keyHeaders, startApp } from '../../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../../database.js';

skipFileOnEmbedded();

/** Error codes of PostgreSQL that the request does not cause: they are temporary, or an operator has to act. */
const errorCodes = {
  53100: 'the disk is full',
  53200: 'out of memory',
  25006: 'read-only transaction',
  '28P01': 'the password was rotated',
  28000: 'the role cannot log in',
  '3D000': 'the database does not exist',
  55000: 'not in the prerequisite state',
  '55P03': 'a lock was not available',
  57014: 'the statement was cancelled',
  42501: 'a privilege was revoked',
};

const app = await startApp(await createTestDatabase());
const request = clientOf(app, await keyHeaders(app, 'admin'));
const { pool } = app.database;
await pool.query(`
  CREATE TABLE refusal (code text);
  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE refused text := (SELECT max(code) FROM refusal);
  BEGIN
    IF refused IS NOT NULL THEN RAISE EXCEPTION 'refused' USING ERRCODE = refused; END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION refuse();
  CREATE TRIGGER refuse BEFORE INSERT ON request_logs FOR EACH ROW EXECUTE FUNCTION refuse();
`);

for (const [code, reason] of Object.entries(errorCodes)) {
  t.test(`${code}, ${reason}: changes return 503, /health reports it, and no row is lost`, async (t) => {
    await app.requestLog.flush();
    await pool.query('INSERT INTO refusal VALUES ($1)', [code]);
    const denied = await request('POST', '/v1/api-keys', { name: 'made' });
    t.match(denied, { status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
    t.match(denied.headers['retry-after'], /^\d+$/);
    await app.requestLog.flush();
    const health = await request('GET', '/health');
    t.match(health, { status: 503, body: { checks: { database: { status: 'unhealthy', writable: false } } } });

    await pool.query('DELETE FROM refusal');
    t.equal((await request('POST', '/v1/api-keys', { name: 'made' })).status, 201);
    while (!app.requestLog.isWritable) {
      await app.requestLog.flush();
      await sleep(10);
    }
    t.equal((await request('GET', '/health')).status, 200);
    const id = String(denied.headers['x-request-id']);
    while ((await request('GET', `/v1/request-logs/${id}`)).status !== 200) await app.requestLog.flush();
    t.equal(app.requestLog.counts.dropped, 0);
  });
}
