import type { CreatedApiKey, NewApiKey } from '../../routes/api-key-fields.js';
import { requestJson, type Wire } from '../api.js';
import { Field } from '../parts/field.js';
import { ActionForm } from './action-form.js';
import { ExpiryField, expiryOf } from './expiry-field.js';
import { KeyFields, keyFieldNames, keyFieldsOf, textOf } from './key-fields.js';

const fields = [...keyFieldNames, 'expiresAt', 'prefix'];

interface CreateKeyProps {
  onClose: () => void;
  onCreated: (created: Wire<CreatedApiKey>) => void;
}

export function CreateKey({ onClose, onCreated }: CreateKeyProps) {
  async function create(form: FormData) {
    const prefix = textOf(form, 'prefix');
    const body: Wire<NewApiKey> = {
      ...keyFieldsOf(form),
      expiresAt: expiryOf(form) ?? null,
      ...(prefix && { prefix }),
    };
    onCreated(await requestJson<CreatedApiKey>('POST', '/v1/api-keys', { body }));
  }

  return (
    <ActionForm title="Create a key" verb={['Create key', 'Creating…']} fields={fields} act={create} onClose={onClose}>
      {({ fields }) => (
        <>
          <KeyFields errors={fields} />
          <ExpiryField error={fields.expiresAt} />
          <Field label="Prefix" hint="Such as live or test. Empty: the service’s." error={fields.prefix}>
            {(attributes) => (
              <input {...attributes} name="prefix" autocomplete="off" autocapitalize="off" spellcheck={false} />
            )}
          </Field>
        </>
      )}
    </ActionForm>
  );
}
