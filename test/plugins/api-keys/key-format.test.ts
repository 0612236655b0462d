import fc from 'fast-check';
import t from 'tap';
import { digestOf, generateKey, isWellFormedKey, startOf } from '../../../plugins/api-keys/key-format.js';

const example = 'mez_0123456789ABCDEFGHIJKLMNOPQRSTUV1QktVJ';

t.test('the documented example is a well-formed key', async (t) => {
  t.ok(isWellFormedKey(example));
});

t.test('generated keys are well formed and unique', async (t) => {
  const keys = Array.from({ length: 1000 }, () => generateKey('mez'));
  t.ok(keys.every((key) => isWellFormedKey(key) && /^mez_[0-9A-Za-z]{38}$/.test(key)));
  t.equal(new Set(keys).size, keys.length);
});

t.test('a key with one wrong character is not well formed', async (t) => {
  fc.assert(
    fc.property(fc.nat(example.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
      fc.pre(example[at] !== character);
      return !isWellFormedKey(example.slice(0, at) + character + example.slice(at + 1));
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

t.test('a key with another prefix, a part of a key and an empty string are not well formed', async (t) => {
  t.notOk(isWellFormedKey(example.replace('mez', 'abc')));
  t.notOk(isWellFormedKey(example.slice(0, -1)));
  t.notOk(isWellFormedKey(''));
});

t.test('the digest is the SHA-256 of the whole key, and the start is its first characters', async (t) => {
  t.equal(digestOf('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  t.equal(startOf(example), 'mez_01234567');
});
