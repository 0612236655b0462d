import { useState } from 'preact/hooks';
import type { ApiKey, ApiKeyChange, CreatedApiKey } from '../../routes/api-key-fields.js';
import { requestJson, type Wire } from '../api.js';
import { Field } from '../parts/field.js';
import { isSessionKey, renewSession, signIn } from '../session.js';
import { ActionForm } from './action-form.js';
import type { Key } from './state.js';

interface ActionProps {
  of: Key;
  onClose: () => void;
}

const gracePeriods = {
  0: 'at once',
  3600: 'in an hour',
  86400: 'in a day',
  604800: 'in a week',
  2592000: 'in 30 days',
} as const;

/** After a rotation of the session's own key, the session continues with the new one. */
export function Rotate({
  of,
  onClose,
  onRotated,
}: ActionProps & { onRotated: (created: Wire<CreatedApiKey>) => void }) {
  async function rotate(form: FormData) {
    const body = { graceSeconds: Number(form.get('graceSeconds')) };
    const path = `/v1/api-keys/${of.id}/rotate`;
    if (!isSessionKey(of.start)) return onRotated(await requestJson<CreatedApiKey>('POST', path, { body }));
    await renewSession(async () => {
      const created = await requestJson<CreatedApiKey>('POST', path, { body });
      signIn(created.key, created);
      onRotated(created);
    });
  }
  const verb = ['Rotate', 'Rotating…'] as const;
  return (
    <ActionForm title={`Rotate “${of.name}”`} verb={verb} fields={['graceSeconds']} act={rotate} onClose={onClose}>
      {({ fields }) => (
        <>
          <p>A new key with the same name, scopes and limit takes its place.</p>
          <Field label="The old key expires" hint="Its own expiry can be earlier." error={fields.graceSeconds}>
            {(attributes) => (
              <select {...attributes} name="graceSeconds">
                {Object.entries(gracePeriods).map(([seconds, words]) => (
                  <option key={seconds} value={seconds} selected={seconds === '86400'}>
                    {words}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </>
      )}
    </ActionForm>
  );
}

/** Disables an active key, or enables a disabled one. */
export function Switch({ of, onClose, onDone }: ActionProps & { onDone: () => void }) {
  const verb = of.active ? (['Disable', 'Disabling…'] as const) : (['Enable', 'Enabling…'] as const);
  async function change() {
    const body: Wire<ApiKeyChange> = { active: !of.active };
    await requestJson<ApiKey>('PATCH', `/v1/api-keys/${of.id}`, { body });
    onDone();
  }
  return (
    <ActionForm
      title={`${verb[0]} “${of.name}”?`}
      verb={verb}
      look={of.active ? 'danger' : 'primary'}
      act={change}
      onClose={onClose}
    >
      {() => (
        <>
          <p>
            {of.active
              ? 'Requests with it will get a 401. It can be enabled again.'
              : 'Requests with it will be accepted again.'}
          </p>
          <OwnKeyWarning of={of} />
        </>
      )}
    </ActionForm>
  );
}

/** Requires the name of the key, as a protection against clicks in the wrong row. */
export function Delete({ of, onClose, onDone }: ActionProps & { onDone: () => void }) {
  const [typed, setTyped] = useState('');
  async function remove() {
    await requestJson('DELETE', `/v1/api-keys/${of.id}`);
    onDone();
  }
  return (
    <ActionForm
      title={`Delete “${of.name}”?`}
      verb={['Delete', 'Deleting…']}
      look="danger"
      isReady={typeable(typed) === typeable(of.name) && (typeable(typed) !== '' || typed === of.name)}
      act={remove}
      onClose={onClose}
    >
      {() => (
        <>
          <p>
            Requests with the key {of.start}… will then get a 401, and the key cannot be restored. Its logged requests
            and its events stay. To suspend it, disable it instead.
          </p>
          <OwnKeyWarning of={of} />
          <Field label={`To delete it, type its name: ${of.name}`}>
            {(attributes) => (
              <input
                {...attributes}
                autocomplete="off"
                spellcheck={false}
                value={typed}
                onInput={(event) => setTyped(event.currentTarget.value)}
              />
            )}
          </Field>
        </>
      )}
    </ActionForm>
  );
}

/** The characters of a name that a person sees and can type. */
function typeable(name: string): string {
  return name
    .normalize('NFC')
    .replace(/\p{Cf}/gu, '')
    .replace(/\s+/gu, ' ')
    .trim();
}

function OwnKeyWarning({ of }: { of: Key }) {
  return of.active && isSessionKey(of.start) ? (
    <p class="warn">You are signed in with this key: this ends your session.</p>
  ) : null;
}
