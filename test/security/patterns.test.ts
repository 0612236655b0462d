import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import isSafe from 'safe-regex2';
import t from 'tap';
import { Environment } from '../../src/config/index.js';
import { startApp } from '../app.js';
import { onceIsEnough, ownDatabase } from '../database.js';
import { root } from '../root.js';

onceIsEnough();

/** Every `pattern` in a schema, however deep. */
function patternsIn(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([name, value]) =>
    name === 'pattern' && typeof value === 'string' ? [value] : patternsIn(value),
  );
}

/** The regular expressions that a source file has. */
function literalsIn(source: string): string[] {
  const literal =
    /(?<=[(,=:?&|]\s*)\/((?:[^/\\\n[*]|\\.|\[(?:[^\]\\\n]|\\.)*\])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])*)\/[dgimsuvy]*/g;
  return [...source.matchAll(literal)].map(([, text = '']) => text);
}

t.test('no pattern that a client, an operator or a log line meets takes exponential time', async (t) => {
  const app = await startApp(await ownDatabase());
  const document = (await app.inject('/documentation/json')).json();
  const sources = ['src', 'plugins', 'routes'].flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true })
      .map((name) => join(root, directory, String(name)))
      .filter((name) => name.endsWith('.ts') && !name.includes('generated')),
  );
  const literals = sources.flatMap((file) => literalsIn(readFileSync(file, 'utf8')));
  t.ok(literals.length > 10, `${literals.length} in the code`);
  const patterns = [...patternsIn(document), ...patternsIn(Environment), ...literals];
  // A repetition with an end takes no longer than that, but counts as one without.
  for (const pattern of new Set(patterns)) t.ok(isSafe(pattern.replace(/\{\d+(,\d+)?\}/g, '')), pattern);
  t.notOk(isSafe('(a+)+$'), 'and one that does is told');
});
