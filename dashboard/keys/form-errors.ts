import { ApiError } from '../api.js';

export interface FormErrors {
  /** Errors by field. */
  fields: Readonly<Record<string, string>>;
  /** Errors that belong to no field of the form. */
  other: string;
}

export const noFormErrors: FormErrors = { fields: {}, other: '' };

/**
 * Assigns the errors of a response to the fields of a form.
 *
 * @param names the names of the fields
 */
export function formErrorsOf(error: Error, names: readonly string[]): FormErrors {
  const fields: Record<string, string> = {};
  const others: string[] = [];
  for (const { path, message } of errorsOf(error)) {
    const name = path.split('/')[2] ?? '';
    if (names.includes(name)) fields[name] ??= sentence(message);
    else others.push(sentence(`${path} ${message}`.trim()));
  }
  return { fields, other: others.join(' ') };
}

/** A value that the form cannot send. */
export class FieldError extends Error {
  readonly path: string;

  constructor(name: string, message: string) {
    super(message);
    this.path = `/body/${name}`;
  }
}

function errorsOf(error: Error): { path: string; message: string }[] {
  if (error instanceof FieldError) return [error];
  if (!(error instanceof ApiError)) return [{ path: '', message: error.message }];
  const { errors, detail } = error.problem;
  return errors?.length ? errors : [{ path: '', message: detail }];
}

/** Replaces messages with a pattern: the hint of the field explains it. */
function sentence(text: string): string {
  const plain = text.replace(/must match pattern.*/, 'is not of the form below');
  return `${plain.charAt(0).toUpperCase()}${plain.slice(1)}${/[.!?]$/.test(plain) ? '' : '.'}`;
}
