import type { ApiKey } from '../../routes/api-key-fields.js';
import { requestJson } from '../api.js';
import { ActionForm } from './action-form.js';
import { ExpiryField, expiryOf } from './expiry-field.js';
import { KeyFields, keyFieldNames, keyFieldsOf } from './key-fields.js';
import { quotaResetOf } from './limit-fields.js';
import type { Key } from './state.js';

const fields = [...keyFieldNames, 'expiresAt'];

interface EditKeyProps {
  of: Key;
  onClose: () => void;
  onDone: () => void;
}

export function EditKey({ of, onClose, onDone }: EditKeyProps) {
  async function change(form: FormData) {
    const body = changesOf(of, form);
    if (Object.keys(body).length > 0) await requestJson<ApiKey>('PATCH', `/v1/api-keys/${of.id}`, { body });
    onDone();
  }

  return (
    <ActionForm title={`Change “${of.name}”`} verb={['Save', 'Saving…']} fields={fields} act={change} onClose={onClose}>
      {({ fields }) => (
        <>
          <KeyFields errors={fields} of={of} />
          <ExpiryField error={fields.expiresAt} canKeep />
        </>
      )}
    </ActionForm>
  );
}

/** Returns only the changed fields, so that a concurrent change of other fields is not overwritten. */
function changesOf(key: Key, form: FormData) {
  const expiresAt = expiryOf(form);
  const given = { ...keyFieldsOf(form), ...(expiresAt !== undefined && { expiresAt }) };
  const before = { ...key, quota: key.quota && { limit: key.quota.limit, period: key.quota.period } };
  const isChanged = ([name, value]: [string, unknown]) => {
    const old = before[name as keyof typeof given];
    // The form trims texts.
    return JSON.stringify(value) !== JSON.stringify(typeof old === 'string' ? old.trim() || null : old);
  };
  const changes = Object.fromEntries(Object.entries(given).filter(isChanged));
  return { ...changes, ...quotaResetOf(form) };
}
