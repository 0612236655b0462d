import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { test } from 'tap';
import { Environment, loadConfig } from '../../src/config/index.js';

const text = readFileSync('.env.example', 'utf8');
const active = parseEnv(text) as NodeJS.ProcessEnv;
const variables = text.split('\n').flatMap((line, index, lines) => {
  const name = line.match(/^#?([A-Z_]+)=/)?.[1];
  return name ? [{ name, above: lines[index - 1] ?? '' }] : [];
});

test('the file lists exactly the variables that the service reads', async (t) => {
  const names = variables.map(({ name }) => name);
  t.strictSame(names.toSorted(), Object.keys(Environment.properties).toSorted());
});

test('every variable has a comment above it', async (t) => {
  for (const { name, above } of variables) t.match(above, /^# \w.{10}/, name);
});

test("a copy of the file works with the compose file's database", async (t) => {
  t.strictSame(active, {
    DATABASE_URL: 'postgresql://postgres:password@localhost:5432/musicez_dev?schema=public',
    SHADOW_DATABASE_URL: 'postgresql://postgres:password@localhost:5432/musicez_shadow?schema=public',
  });
  t.equal(loadConfig(active).database.url, active.DATABASE_URL);
});

test('commented-out variables show their defaults', async (t) => {
  const uncommented = parseEnv(text.replaceAll(/^#(?=[A-Z_]+=)/gm, '')) as NodeJS.ProcessEnv;
  t.strictSame(loadConfig(uncommented), loadConfig(active));
  for (const [name, { default: value }] of Object.entries(Environment.properties)) {
    if (!(name in active)) t.equal(uncommented[name] ?? '', String(value ?? ''), name);
  }
});
