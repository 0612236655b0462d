import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { root } from './root.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Whether the tests run on PostgreSQL (`npm run test:postgres`). */
export const onPostgres = process.env.TEST_ON === 'postgres';

/** For single tests that need a server: `{ skip: needsPostgres }`. */
export const needsPostgres = onPostgres ? false : 'needs PostgreSQL: npm run test:postgres';

// test/preload.js skips files that call one of these two, before their imports load. Call it first.

/** Skips the file, visibly, unless the tests run on PostgreSQL: for slow tests that do not depend on the database. */
export function skipFileOnEmbedded(): void {
  if (skipOnEmbedded) skipFile(skipOnEmbedded);
}

/** Skips the file, visibly, unless the tests run on PostgreSQL: for tests that need a server. */
export function requirePostgres(): void {
  if (needsPostgres) skipFile(needsPostgres);
}

function skipFile(reason: string): never {
  t.plan(0, reason);
  process.exit();
}

/** For single slow tests that do not depend on the database: `{ skip: skipOnEmbedded }`. */
export const skipOnEmbedded = onPostgres ? false : 'does not depend on the database: npm run test:postgres';

/** Templates of embedded databases, which test/before.ts creates: with every migration, and without any. */
export const embeddedTemplate = join(root, '.tap', 'embedded-template');
export const emptyEmbeddedTemplate = join(root, '.tap', 'embedded-empty');

/** The migrated template on PostgreSQL. Its name depends on the checkout, because another checkout can have other migrations. */
export const postgresTemplate = `musicez_test_template_${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;

/** Creates a database for the test file, removed when the file ends. @returns the variables for the service */
export async function createTestDatabase({
  migrated = true,
} = {}): Promise<{ DATA_DIR: string; DATABASE_URL?: string }> {
  const DATA_DIR = temporaryDirectory();
  if (onPostgres) return { DATA_DIR, DATABASE_URL: await createDatabase(migrated ? postgresTemplate : 'template1') };
  copyTemplate(DATA_DIR, migrated ? embeddedTemplate : emptyEmbeddedTemplate);
  return { DATA_DIR };
}

/** Copies with `cp`, which takes half the time of Node.js for a thousand files. */
export function copyTemplate(directory: string, template = embeddedTemplate): void {
  execFileSync('cp', ['-R', `${template}/.`, directory]);
}

async function createDatabase(template: string): Promise<string> {
  const name = `musicez_test_${randomUUID().slice(0, 8)}`;
  await runAdminSql(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  t.teardown(() => runAdminSql(`DROP DATABASE ${name} WITH (FORCE)`));
  return urlOf(name);
}

/** Returns the URL of a database on the test server. */
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

/** Runs an administrative statement on the test server, such as CREATE DATABASE. */
export async function runAdminSql(sql: string) {
  const client = new pg.Client(serverUrl());
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
