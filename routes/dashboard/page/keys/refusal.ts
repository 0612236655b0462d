import { ApiError } from '../api.js';

export interface Refusal {
  /** Why, by the field that it is about. */
  fields: Readonly<Record<string, string>>;
  /** What is about none of them. */
  other: string;
}

export const noRefusal: Refusal = { fields: {}, other: '' };

/**
 * What the service said, sorted by the fields of a form.
 *
 * @param names of the fields that there are
 */
export function refusalOf(error: Error, names: readonly string[]): Refusal {
  const fields: Record<string, string> = {};
  const others: string[] = [];
  for (const { path, message } of errorsOf(error)) {
    const name = path.split('/')[2] ?? '';
    if (names.includes(name)) fields[name] ??= sentence(message);
    else others.push(sentence(`${path} ${message}`.trim()));
  }
  return { fields, other: others.join(' ') };
}

function errorsOf(error: Error): { path: string; message: string }[] {
  if (!(error instanceof ApiError)) return [{ path: '', message: error.message }];
  const { errors, detail } = error.problem;
  return errors?.length ? errors : [{ path: '', message: detail }];
}

/** A pattern says nothing to people; the hint below the field does. */
function sentence(text: string): string {
  const plain = text.replace(/must match pattern.*/, 'is not of the form below');
  return `${plain.charAt(0).toUpperCase()}${plain.slice(1)}${/[.!?]$/.test(plain) ? '' : '.'}`;
}
