import { type Test, test } from 'tap';
import { type Cluster, needsCluster as skip, startCluster } from '../cluster.js';
import { skipFileOnEmbedded } from '../database.js';

skipFileOnEmbedded();

const databases = ['musicez_dev', 'musicez_shadow', 'musicez_test'];

const runInitSql = (cluster: Cluster, database: string) => cluster.runScript(database, 'docker/postgres/init.sql');

test('init.sql creates the databases on an empty server and can run again', { skip }, async (t) => {
  const cluster = await startCluster(t);
  await runInitSql(cluster, 'postgres');
  await hasDatabases(t, cluster);

  await cluster.query('musicez_dev', 'CREATE TABLE kept ()');
  await runInitSql(cluster, 'postgres');
  await hasDatabases(t, cluster);
  await t.resolves(cluster.query('musicez_dev', 'SELECT FROM kept'), 'the second run keeps existing tables');
});

test('init.sql succeeds if POSTGRES_DB has created musicez_dev, and can run again', { skip }, async (t) => {
  const cluster = await startCluster(t);
  await cluster.query('postgres', 'CREATE DATABASE musicez_dev');
  for (const _ of ['the first start', 'later']) {
    // The image runs it in the database that POSTGRES_DB names.
    await runInitSql(cluster, 'musicez_dev');
    await hasDatabases(t, cluster);
  }
});

async function hasDatabases(t: Test, cluster: Cluster) {
  // datacl is null for a database without any grant.
  const rows = await cluster.query(
    'postgres',
    `SELECT datname || ' ' || coalesce(datacl::text, '') FROM pg_database WHERE datname LIKE 'musicez%' ORDER BY 1`,
  );
  t.strictSame(
    rows.split('\n'),
    databases.map((name) => `${name} {=Tc/postgres,postgres=CTc/postgres}`),
    'the three databases exist with all privileges granted',
  );
}
