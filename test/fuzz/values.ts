import fc from 'fast-check';
import { Id } from '../../routes/fields.js';
import type { Parameter, Schema } from './document.js';

/** Generates `usual`, but `odd` once in `oneIn` values. */
export const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, oneIn: number) =>
  fc.oneof({ weight: oneIn - 1, arbitrary: usual }, { weight: 1, arbitrary: odd });

const anyText = fc.string({ unit: 'binary', maxLength: 40 });

/** «id 3» and similar placeholders are replaced when a request is sent. */
const id = fc.oneof(
  { weight: 4, arbitrary: fc.nat(19).map((n) => `«id ${n}»`) },
  { weight: 2, arbitrary: fc.nat(19).map((n) => `«request ${n}»`) },
  { weight: 1, arbitrary: fc.uuid() },
);
export const credential = fc.constantFrom('admin', 'verify', 'plain', 'limited', 'disabled', 'expired', 'unknown');

/** Generates values that match the schema. */
function fitting(schema: Schema, name: string): fc.Arbitrary<unknown> {
  if (schema.nullable) return mostly(fitting({ ...schema, nullable: false }, name), fc.constant(null), 3);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => fitting(one, name)));
  switch (schema.type) {
    case 'string':
      return fittingText(schema, name);
    case 'integer':
    case 'number': {
      const { minimum: min = -(2 ** 31), maximum: max = 2 ** 31, multipleOf = 1 } = schema;
      const low = Math.ceil(min / multipleOf);
      const high = Math.floor(max / multipleOf);
      return fc
        .oneof(fc.integer({ min: low, max: Math.min(high, low + 100) }), fc.integer({ min: low, max: high }))
        .map((n) => n * multipleOf);
    }
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.uniqueArray(fitting(schema.items ?? {}, name), { maxLength: Math.min(schema.maxItems ?? 8, 8) });
    case 'object':
      return mostly(fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 })), fc.jsonValue(), 6);
    default:
      return fc.jsonValue();
  }
}

function fittingText({ pattern, format, minLength = 0, maxLength = 100 }: Schema, name: string) {
  if (pattern === Id.pattern) return id;
  if (name === 'key')
    return mostly(
      credential.map((key) => `«${key}»`),
      anyText.filter(Boolean),
      4,
    );
  if (name === 'ip' || name === 'allowedIps') {
    const network = fc.tuple(fc.ipV4(), fc.nat(33)).map((parts) => parts.join('/'));
    return mostly(fc.oneof(fc.ipV4(), fc.ipV6(), network), anyText, 12);
  }
  if (format === 'date-time') {
    const past = fc.constantFrom('1990-01-01T00:00:00Z', '2020-02-29T23:59:59.999999999-12:00');
    const future = fc.constantFrom('2199-12-31T00:00:00Z', '2999-12-31T23:59:59.999Z');
    const nearly = fc.stringMatching(new RegExp(pattern ?? '', 'u'));
    return mostly(name === 'from' ? past : future, fc.oneof(past, future, nearly), 5);
  }
  if (pattern) return fc.stringMatching(new RegExp(pattern, 'u'));
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 100) });
}

const deep = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`;

/** JSON, and text that resembles it. */
const wildJson = fc.oneof(
  fc.constantFrom(
    ...['null', 'true', '0', '-1', '-0', '1.5', '1e400', '-1e400', '9007199254740993', '""', '[]', '{}', 'NaN', '01'],
    ...['"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u202e\\u0085\\u2028"', '"\\u001b[31m"', '"\\r\\n{}"', '"\0"'],
    ...['{"__proto__":{"scopes":["admin"]}}', '{"constructor":{"prototype":{"scopes":["admin"]}}}', '{"toString":1}'],
    ...['{"\\u005f_proto__":{}}', '[null]', '["admin","admin"]', `"${'x'.repeat(70_000)}"`, `"${'𝒳'.repeat(101)}"`],
    deep(200, '[', ']'),
    deep(5_000, '[', ']'),
    deep(5_000, '{"a":', '}'),
    `[${'"a",'.repeat(5_000)}"a"]`,
  ),
  fc.json(),
  anyText.map((text) => JSON.stringify(text)),
);

/** Generates bodies that match the schema, almost match it, or do not match it at all. */
export function bodyText(schema: Schema): fc.Arbitrary<string> {
  const { properties = {}, required = [] } = schema;
  const values = Object.fromEntries(
    Object.entries(properties).map(([name, of]) => {
      const text = fitting(of, name).map((value) => JSON.stringify(value));
      return [name, mostly(text, wildJson, 25)];
    }),
  );
  const fields = mostly(
    fc.record(values, { requiredKeys: required }),
    fc.record(values, { requiredKeys: [] }) as fc.Arbitrary<Record<string, string>>,
    15,
  ).map((fields) => Object.entries(fields));
  const oddName = fc.oneof(fc.constantFrom('__proto__', 'constructor', 'id', ...Object.keys(properties)), anyText);
  const oddField = fc.tuple(oddName, wildJson);
  const oddFields = fc.tuple(fields, oddField).map(([fields, odd]) => [...fields, odd]);
  const object = mostly(fields, oddFields, 12).map(
    (fields) => `{${fields.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join()}}`,
  );
  const broken = fc.oneof(
    fc.tuple(object, fc.nat(60)).map(([text, end]) => text.slice(0, end)),
    object.map((text) => `\ufeff${text}`),
    object.map((text) => `${text}${text}`),
    object.map((text) => `${' '.repeat(2 ** 20)}${text}`),
    wildJson,
    anyText,
  );
  return mostly(object, broken, 10);
}

/** Unusual values for a path or query, which are already escaped or never escaped. */
const wildText = fc.oneof(
  fc.constantFrom(
    ...['%', '%zz', '%00', '%ED%A0%80', '%C0%AF', '%0d%0aset-cookie:a=b', '..%2f..%2fetc', '%252e', '%F0%9F%A6%8A'],
    ...['null', 'true', 'TRUE', 'undefined', '[object%20Object]', "'--", '%5c', '\u00e4\u00ff', '\u0080', '__proto__'],
    ...['a'.repeat(100), 'a'.repeat(101), 'a'.repeat(2_000), '%F0%9F%A6%8A'.repeat(500), '1990-02-30T00:00:00Z'],
  ),
  anyText.filter(Boolean).map(escaped),
);

const wildNumber = fc.constantFrom(
  ...[
    '-1',
    '0',
    '-0',
    '1e3',
    '1.5',
    '1e400',
    '-1e400',
    'Infinity',
    'NaN',
    '0x10',
    '+5',
    '%205',
    '',
    '5,6',
    '99999999999999999999',
  ],
);

function escaped(text: string) {
  // encodeURIComponent throws on lone surrogates, which Buffer replaces.
  return encodeURIComponent(Buffer.from(text).toString());
}

/** Generates the value of a parameter in a URL. */
export function parameterText({ schema, name }: Parameter): fc.Arbitrary<string> {
  const usual = fitting(schema, name).map((value) =>
    /^«.*»$/.test(String(value)) ? String(value) : escaped(String(value)),
  );
  const isNumber = schema.type === 'integer' || schema.type === 'number';
  return mostly(usual, isNumber ? fc.oneof(wildNumber, wildText) : wildText, 12);
}

/** Generates a query string with some parameters, sometimes repeated or unknown. */
export function queryText(parameters: Parameter[]): fc.Arbitrary<string> {
  const parts = parameters.map((parameter) => {
    const part = parameterText(parameter).map((text) => `${parameter.name}=${text}`);
    const twice = fc.tuple(part, part).map((both) => both.join('&'));
    const present = mostly(part, twice, 30);
    return parameter.required ? mostly(present, absent, 15) : mostly(absent, present, 3);
  });
  return fc
    .tuple(...parts, mostly(absent, oddPart, 12))
    .map((all) => all.filter(Boolean).join('&'))
    .map((query) => query && `?${query}`);
}

const absent = fc.constant('');
const oddPart = fc.constantFrom(
  ...[
    '__proto__=1',
    '__proto__[a]=1',
    'constructor=1',
    'key=«admin»',
    'x-api-key=«verify»',
    'a[b]=c',
    '&&&=',
    '?',
    '%zz',
  ],
  ...[`q=${'x'.repeat(4_000)}`, 'limit[]=1', '=', 'toString', '%00=%00', 'ÿ=ÿ', `${'a&'.repeat(1_500)}`],
);
