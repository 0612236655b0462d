import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { root } from './root.js';

/** Whether this run is the one on PostgreSQL (`npm run test:postgres`). */
export const onPostgres = process.env.TEST_ON === 'postgres';

/** For tests of what only a server does: `{ skip: needsPostgres }`. */
export const needsPostgres = onPostgres ? false : 'needs PostgreSQL: npm run test:postgres';

/**
 * Ends the file here, visibly, unless this is the run on PostgreSQL: for tests whose result no database can change, and
 * which take long. To be called before anything else.
 */
export function onceIsEnough(): void {
  if (!sameEverywhere) return;
  t.plan(0, sameEverywhere);
  process.exit();
}

/** For single tests like that: `{ skip: sameEverywhere }`. */
export const sameEverywhere = onPostgres ? false : 'no database makes a difference to it: npm run test:postgres';

/** Made by test/before.ts: an embedded database with every migration, to be copied. */
export const embeddedTemplate = join(root, '.tap', 'embedded-template');

/** The same on PostgreSQL: this checkout's own, for another may have other migrations. */
export const postgresTemplate = `musicez_test_template_${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;

/** Variables that point the service at a database of this test file's own, gone when the file ends. */
export async function ownDatabase({ migrated = true } = {}): Promise<{ DATA_DIR: string; DATABASE_URL?: string }> {
  const DATA_DIR = mkdtempSync(join(tmpdir(), 'musicez-test-'));
  t.teardown(() => rmSync(DATA_DIR, { recursive: true, force: true }));
  if (onPostgres) return { DATA_DIR, DATABASE_URL: await createDatabase(migrated ? postgresTemplate : 'template1') };
  if (migrated) copyTemplate(DATA_DIR);
  return { DATA_DIR };
}

/** Its thousand files are copied by a program in half the time that Node.js takes. */
export function copyTemplate(directory: string): void {
  execFileSync('cp', ['-R', `${embeddedTemplate}/.`, directory]);
}

async function createDatabase(template: string): Promise<string> {
  const name = `musicez_test_${randomUUID().slice(0, 8)}`;
  await administer(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  t.teardown(() => administer(`DROP DATABASE ${name} WITH (FORCE)`));
  return urlOf(name);
}

/** A database on the server of the tests. */
export function urlOf(name: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return url.href;
}

function serverUrl(): string {
  const url = process.env.TEST_DATABASE_URL;
  if (!url)
    throw new Error(
      'npm run test:postgres needs TEST_DATABASE_URL, such as postgresql://postgres@127.0.0.1:5432/postgres',
    );
  return url;
}

/** Says a statement where it is about databases. */
export async function administer(sql: string) {
  const client = new pg.Client(serverUrl());
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
