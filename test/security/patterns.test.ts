import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import isSafe from 'safe-regex2';
import t from 'tap';
import { Environment } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { root } from '../root.js';

skipFileOnEmbedded();

/** Returns every `pattern` in a schema, at any depth. */
function patternsIn(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([name, value]) =>
    name === 'pattern' && typeof value === 'string' ? [value] : patternsIn(value),
  );
}

/** Returns regular expression literals of a source file: a slash after one of `( , = : ? & |`. Can miss others. */
function literalsIn(source: string): string[] {
  const literal =
    /(?<=[(,=:?&|]\s*)\/((?:[^/\\\n[*]|\\.|\[(?:[^\]\\\n]|\\.)*\])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])*)\/[dgimsuvy]*/g;
  return [...source.matchAll(literal)].map(([, text = '']) => text);
}

t.test('no regular expression in the schemas or in the code takes exponential time', async (t) => {
  const app = await startApp(await createTestDatabase());
  const document = (await app.inject('/documentation/json')).json();
  const sources = ['src', 'plugins', 'routes'].flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true })
      .map((name) => join(root, directory, String(name)))
      .filter((name) => name.endsWith('.ts') && !name.includes('generated')),
  );
  const literals = sources.flatMap((file) => literalsIn(readFileSync(file, 'utf8')));
  t.ok(literals.length > 10, `${literals.length} literals found`);
  const patterns = [...patternsIn(document), ...patternsIn(Environment), ...literals];
  // A bounded repetition is safe, but isSafe() treats it like an unbounded one.
  for (const pattern of new Set(patterns)) t.ok(isSafe(pattern.replace(/\{\d+(,\d+)?\}/g, '')), pattern);
  t.notOk(isSafe('(a+)+$'), 'an unsafe pattern is detected');
});
