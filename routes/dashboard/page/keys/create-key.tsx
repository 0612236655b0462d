import { useState } from 'preact/hooks';
import type { CreatedApiKey, NewApiKey } from '../../../api-key-fields.js';
import { ask, type Wire } from '../api.js';
import { ActionForm } from './action-form.js';
import { Field } from './field.js';

const dayMs = 86_400_000;
const lifetimes = { '': 'Never', 30: 'In 30 days', 90: 'In 90 days', 365: 'In a year', date: 'On a date…' } as const;
const fields = ['name', 'scopes', 'expiresAt', 'rateLimitPerMinute'] as const;

interface CreateKeyProps {
  onClose: () => void;
  onCreated: (created: Wire<CreatedApiKey>) => void;
}

export function CreateKey({ onClose, onCreated }: CreateKeyProps) {
  const [lifetime, setLifetime] = useState('');

  async function create(form: FormData) {
    onCreated(await ask<CreatedApiKey>('POST', '/v1/api-keys', { body: bodyOf(form) }));
  }

  return (
    <ActionForm title="New key" verb={['Make the key', 'Making…']} fields={fields} act={create} onClose={onClose}>
      {({ fields }) => (
        <>
          <Field label="Name" hint="1 to 100 characters: who or what will use it." refusal={fields.name}>
            {(attributes) => <input {...attributes} name="name" autocomplete="off" />}
          </Field>
          <Field
            label="Scopes"
            hint="Words of a-z, 0-9 and : _ . - with spaces between them. admin opens everything; none is a key that is known and no more."
            refusal={fields.scopes}
          >
            {(attributes) => (
              <input {...attributes} name="scopes" autocomplete="off" autocapitalize="off" spellcheck={false} />
            )}
          </Field>
          <div class="form-row">
            <Field label="Expires" refusal={lifetime === 'date' ? '' : fields.expiresAt}>
              {(attributes) => (
                <select
                  {...attributes}
                  name="lifetime"
                  value={lifetime}
                  onChange={(event) => setLifetime(event.currentTarget.value)}
                >
                  {Object.entries(lifetimes).map(([value, text]) => (
                    <option key={value} value={value}>
                      {text}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            {lifetime === 'date' && (
              <Field label="Date and time" refusal={fields.expiresAt}>
                {(attributes) => <input {...attributes} name="date" type="datetime-local" />}
              </Field>
            )}
            <Field label="Requests a minute" hint="Empty: the service’s default." refusal={fields.rateLimitPerMinute}>
              {(attributes) => (
                <input {...attributes} name="rateLimitPerMinute" inputMode="numeric" autocomplete="off" />
              )}
            </Field>
          </div>
        </>
      )}
    </ActionForm>
  );
}

/** As the service takes it. What is not of its form goes there as it is: the service says what is wrong with it. */
function bodyOf(form: FormData): Wire<NewApiKey> {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  const limit = text('rateLimitPerMinute');
  return {
    name: text('name'),
    scopes: text('scopes')
      .split(/[\s,]+/)
      .filter(Boolean),
    expiresAt: expiryOf(text('lifetime'), text('date')),
    rateLimitPerMinute:
      limit === '' ? null : Number.isFinite(Number(limit)) ? Number(limit) : (limit as unknown as number),
  };
}

function expiryOf(lifetime: string, date: string): string | null {
  if (lifetime === '') return null;
  const moment = lifetime === 'date' ? new Date(date) : new Date(Date.now() + Number(lifetime) * dayMs);
  return Number.isNaN(moment.getTime()) ? date : moment.toISOString();
}
