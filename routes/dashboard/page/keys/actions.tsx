import { useState } from 'preact/hooks';
import type { ApiKey, ApiKeyChange, CreatedApiKey } from '../../../api-key-fields.js';
import { ask, type Wire } from '../api.js';
import { isSessionKey, renewSession, signIn } from '../session.js';
import { ActionForm } from './action-form.js';
import { Field } from './field.js';
import type { Key } from './state.js';

interface ActionProps {
  of: Key;
  onClose: () => void;
}

const graces = {
  0: 'at once',
  3600: 'in an hour',
  86400: 'in a day',
  604800: 'in a week',
  2592000: 'in 30 days',
} as const;

/** Whoever rotates the key that they are signed in with goes on with the new one. */
export function Rotate({
  of,
  onClose,
  onRotated,
}: ActionProps & { onRotated: (created: Wire<CreatedApiKey>) => void }) {
  async function rotate(form: FormData) {
    const body = { graceSeconds: Number(form.get('graceSeconds')) };
    const path = `/v1/api-keys/${of.id}/rotate`;
    if (!isSessionKey(of.start)) return onRotated(await ask<CreatedApiKey>('POST', path, { body }));
    await renewSession(async () => {
      const created = await ask<CreatedApiKey>('POST', path, { body });
      signIn(created.key, created.name);
      onRotated(created);
    });
  }
  const verb = ['Rotate', 'Rotating…'] as const;
  return (
    <ActionForm title={`Rotate “${of.name}”`} verb={verb} fields={['graceSeconds']} act={rotate} onClose={onClose}>
      {({ fields }) => (
        <>
          <p>A new key with the same name, scopes and limit takes its place.</p>
          <Field label="The old one ends" hint="Never later than it would have." refusal={fields.graceSeconds}>
            {(attributes) => (
              <select {...attributes} name="graceSeconds">
                {Object.entries(graces).map(([seconds, words]) => (
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

/** Enables what is disabled, and the other way round. */
export function Switch({ of, onClose, onDone }: ActionProps & { onDone: () => void }) {
  const verb = of.active ? (['Disable', 'Disabling…'] as const) : (['Enable', 'Enabling…'] as const);
  async function change() {
    const body: Wire<ApiKeyChange> = { active: !of.active };
    await ask<ApiKey>('PATCH', `/v1/api-keys/${of.id}`, { body });
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
              ? 'Requests with it will be refused with 401. It can be enabled again.'
              : 'Requests with it will be let in again.'}
          </p>
          <OwnKey of={of} />
        </>
      )}
    </ActionForm>
  );
}

/** Asks for the key's name, so that the wrong row does no harm. */
export function Delete({ of, onClose, onDone }: ActionProps & { onDone: () => void }) {
  const [typed, setTyped] = useState('');
  async function remove() {
    await ask('DELETE', `/v1/api-keys/${of.id}`);
    onDone();
  }
  return (
    <ActionForm
      title={`Delete “${of.name}”?`}
      verb={['Delete', 'Deleting…']}
      look="danger"
      isReady={typed === of.name}
      act={remove}
      onClose={onClose}
    >
      {() => (
        <>
          <p>
            The key {of.start}… is refused from then on, and cannot be brought back. Its requests and events stay. To
            stop it for a while, disable it.
          </p>
          <OwnKey of={of} />
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

function OwnKey({ of }: { of: Key }) {
  return of.active && isSessionKey(of.start) ? (
    <p class="warn">You are signed in with this key: it ends your session.</p>
  ) : null;
}
