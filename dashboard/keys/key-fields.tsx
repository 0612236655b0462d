import type { Metadata } from '../../plugins/api-keys/key-fields.js';
import { Field } from './field.js';
import type { FormErrors } from './form-errors.js';
import type { Key } from './state.js';

/** The fields that a new key and a change have in common, by their names in the API. */
export const keyFieldNames = ['name', 'scopes', 'rateLimitPerMinute', 'ownerId', 'metadata', 'allowedIps'] as const;

interface KeyFieldsProps {
  errors: FormErrors['fields'];
  /** The key that is changed; undefined for a new one. */
  of?: Key | undefined;
}

export function KeyFields({ errors, of }: KeyFieldsProps) {
  const code = { autocomplete: 'off', autocapitalize: 'off', spellcheck: false } as const;
  return (
    <>
      <Field label="Name" hint="1 to 100 characters, such as the name of the client." error={errors.name}>
        {(attributes) => <input {...attributes} name="name" autocomplete="off" defaultValue={of?.name} />}
      </Field>
      <Field
        label="Scopes"
        hint="Scopes of a-z, 0-9 and : _ . - separated by spaces. admin includes all. A key without scopes can use routes that require none."
        error={errors.scopes}
      >
        {(attributes) => <input {...attributes} {...code} name="scopes" defaultValue={of?.scopes.join(' ')} />}
      </Field>
      <Field label="Requests a minute" hint="Empty: the service’s default." error={errors.rateLimitPerMinute}>
        {(attributes) => (
          <input
            {...attributes}
            {...code}
            name="rateLimitPerMinute"
            inputMode="numeric"
            defaultValue={String(of?.rateLimitPerMinute ?? '')}
          />
        )}
      </Field>
      <Field label="Owner" hint="The customer, by its id in your system." error={errors.ownerId}>
        {(attributes) => <input {...attributes} {...code} name="ownerId" defaultValue={of?.ownerId ?? ''} />}
      </Field>
      <Field
        label="Addresses"
        hint="Addresses and networks that may use the key, separated by spaces, such as 10.0.0.0/8. Empty: all."
        error={errors.allowedIps}
      >
        {(attributes) => <input {...attributes} {...code} name="allowedIps" defaultValue={of?.allowedIps.join(' ')} />}
      </Field>
      <Field label="Metadata" hint='A JSON object of your own, such as {"plan":"pro"}.' error={errors.metadata}>
        {(attributes) => (
          <input
            {...attributes}
            {...code}
            name="metadata"
            defaultValue={of?.metadata ? JSON.stringify(of.metadata) : ''}
          />
        )}
      </Field>
    </>
  );
}

/** Converts the form to the fields of a request. Invalid values are sent as they are, so that the service reports them. */
export function keyFieldsOf(form: FormData) {
  const limit = textOf(form, 'rateLimitPerMinute');
  return {
    name: textOf(form, 'name'),
    scopes: listOf(textOf(form, 'scopes')),
    allowedIps: listOf(textOf(form, 'allowedIps')),
    rateLimitPerMinute:
      limit === '' ? null : Number.isFinite(Number(limit)) ? Number(limit) : (limit as unknown as number),
    ownerId: textOf(form, 'ownerId') || null,
    metadata: textOf(form, 'metadata') === '' ? null : metadataOf(textOf(form, 'metadata')),
  };
}

export function textOf(form: FormData, name: string): string {
  return String(form.get(name) ?? '').trim();
}

function listOf(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

function metadataOf(text: string): Metadata {
  try {
    return JSON.parse(text);
  } catch {
    return text as unknown as Metadata;
  }
}
