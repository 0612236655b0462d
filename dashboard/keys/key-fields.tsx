import type { Metadata } from '../../plugins/api-keys/key-fields.js';
import { Field } from '../parts/field.js';
import type { FormErrors } from './form-errors.js';
import { LimitFields, limitFieldNames, limitFieldsOf } from './limit-fields.js';
import type { Key } from './state.js';

/** The fields that a new key and a change have in common, by their names in the API. */
export const keyFieldNames = ['name', 'scopes', ...limitFieldNames, 'ownerId', 'metadata', 'allowedIps'] as const;

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
      <LimitFields errors={errors} of={of} empty="the service’s default" />
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

/** Converts the form to the fields of a request. Invalid values are sent as they are, so that the service reports them. @throws FieldError for limits */
export function keyFieldsOf(form: FormData) {
  return {
    name: textOf(form, 'name'),
    scopes: listOf(textOf(form, 'scopes')),
    allowedIps: listOf(textOf(form, 'allowedIps')),
    ...limitFieldsOf(form),
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
