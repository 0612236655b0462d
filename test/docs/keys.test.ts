import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import { root } from '../root.js';

const page = readFileSync(join(root, 'docs/keys.md'), 'utf8');

t.test("the scanner's regular expression finds only complete keys in a text", async (t) => {
  const [, source = ''] = /Regular expression: `([^`]+)`/.exec(page) ?? [];
  const key = generateKey('mez');
  t.strictSame(`a="${key}";b=mez_short,x${key}`.match(new RegExp(source, 'g')), [key]);
});

t.test("the scanner's function distinguishes a key from text with the same format", async (t) => {
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  const directory = t.testdir({ 'scanner.mjs': code });
  const { isKey } = await import(join(directory, 'scanner.mjs'));
  t.ok(Array.from({ length: 1_000 }, () => generateKey('mez')).every(isKey));
  t.ok(isKey(generateKey('live')));
  t.notOk(isKey(`mez_${'0'.repeat(38)}`));
  const [example = ''] = /mez_[0-9A-Za-z]{38}/.exec(page) ?? [];
  t.ok(isKey(example), 'the example on the page is a valid key');
});
