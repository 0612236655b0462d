import { useState } from 'preact/hooks';
import type { Metadata } from '../../plugins/api-keys/key-fields.js';
import type { CreatedApiKey, NewApiKey } from '../../routes/api-key-fields.js';
import { requestJson, type Wire } from '../api.js';
import { ActionForm } from './action-form.js';
import { Field } from './field.js';

const dayMs = 86_400_000;
const lifetimes = { '': 'Never', 30: 'In 30 days', 90: 'In 90 days', 365: 'In a year', date: 'On a date…' } as const;
const fields = [
  'name',
  'scopes',
  'expiresAt',
  'rateLimitPerMinute',
  'ownerId',
  'metadata',
  'prefix',
  'allowedIps',
] as const;

interface CreateKeyProps {
  onClose: () => void;
  onCreated: (created: Wire<CreatedApiKey>) => void;
}

export function CreateKey({ onClose, onCreated }: CreateKeyProps) {
  const [lifetime, setLifetime] = useState('');

  async function create(form: FormData) {
    onCreated(await requestJson<CreatedApiKey>('POST', '/v1/api-keys', { body: bodyOf(form) }));
  }

  return (
    <ActionForm title="New key" verb={['Create the key', 'Creating…']} fields={fields} act={create} onClose={onClose}>
      {({ fields }) => (
        <>
          <Field label="Name" hint="1 to 100 characters, such as the name of the client." error={fields.name}>
            {(attributes) => <input {...attributes} name="name" autocomplete="off" />}
          </Field>
          <Field
            label="Scopes"
            hint="Scopes of a-z, 0-9 and : _ . - separated by spaces. admin includes all. A key without scopes can use routes that require none."
            error={fields.scopes}
          >
            {(attributes) => (
              <input {...attributes} name="scopes" autocomplete="off" autocapitalize="off" spellcheck={false} />
            )}
          </Field>
          <div class="form-row">
            <Field label="Expires" error={lifetime === 'date' ? '' : fields.expiresAt}>
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
              <Field label="Date and time" error={fields.expiresAt}>
                {(attributes) => <input {...attributes} name="date" type="datetime-local" />}
              </Field>
            )}
            <Field label="Requests a minute" hint="Empty: the service’s default." error={fields.rateLimitPerMinute}>
              {(attributes) => (
                <input {...attributes} name="rateLimitPerMinute" inputMode="numeric" autocomplete="off" />
              )}
            </Field>
          </div>
          <div class="form-row">
            <Field label="Owner" hint="The customer, by its id in your system." error={fields.ownerId}>
              {(attributes) => <input {...attributes} name="ownerId" autocomplete="off" spellcheck={false} />}
            </Field>
            <Field label="Prefix" hint="Such as live or test. Empty: the service’s." error={fields.prefix}>
              {(attributes) => (
                <input {...attributes} name="prefix" autocomplete="off" autocapitalize="off" spellcheck={false} />
              )}
            </Field>
          </div>
          <Field
            label="Addresses"
            hint="Addresses and networks that may use the key, separated by spaces, such as 10.0.0.0/8. Empty: all."
            error={fields.allowedIps}
          >
            {(attributes) => <input {...attributes} name="allowedIps" autocomplete="off" spellcheck={false} />}
          </Field>
          <Field label="Metadata" hint='A JSON object of your own, such as {"plan":"pro"}.' error={fields.metadata}>
            {(attributes) => (
              <input {...attributes} name="metadata" autocomplete="off" autocapitalize="off" spellcheck={false} />
            )}
          </Field>
        </>
      )}
    </ActionForm>
  );
}

/** Converts the form to the request. Invalid values are sent as they are, so that the service reports them. */
function bodyOf(form: FormData): Wire<NewApiKey> {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  const limit = text('rateLimitPerMinute');
  return {
    name: text('name'),
    scopes: listOf(text('scopes')),
    allowedIps: listOf(text('allowedIps')),
    expiresAt: expiryOf(text('lifetime'), text('date')),
    rateLimitPerMinute:
      limit === '' ? null : Number.isFinite(Number(limit)) ? Number(limit) : (limit as unknown as number),
    ownerId: text('ownerId') || null,
    metadata: text('metadata') === '' ? null : metadataOf(text('metadata')),
    ...(text('prefix') && { prefix: text('prefix') }),
  };
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

function expiryOf(lifetime: string, date: string): string | null {
  if (lifetime === '') return null;
  const moment = lifetime === 'date' ? new Date(date) : new Date(Date.now() + Number(lifetime) * dayMs);
  return Number.isNaN(moment.getTime()) ? date : moment.toISOString();
}
