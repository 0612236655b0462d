import { useState } from 'preact/hooks';
import type { ApiKey, CreatedApiKey } from '../../routes/api-key-fields.js';
import { get, type Wire } from '../api.js';
import { Copy } from '../parts/copy.js';
import { Dialog } from '../parts/dialog.js';
import { Fact, Facts } from '../parts/facts.js';
import { KeyLink, Link, OwnerLink } from '../parts/links.js';
import { Part } from '../parts/part.js';
import { Time } from '../parts/time.js';
import { invalidate, useQuery } from '../query-cache.js';
import { isSessionKey } from '../session.js';
import { choose, hrefOf } from '../url-state.js';
import { Delete, Rotate, Switch } from './actions.js';
import { Activity } from './activity.js';
import { EditKey } from './edit-key.js';
import { Events } from './events.js';
import { LimitsPanel } from './limits-panel.js';
import { type Key, stateOf } from './state.js';

interface DetailsProps {
  id: string;
  onSecret: (created: Wire<CreatedApiKey>) => void;
}

type Action = 'edit' | 'rotate' | 'switch' | 'delete';
const refreshMs = 15_000;
const close = () => choose({ key: undefined });

/** The fields of a key, its actions and its events. */
export function Details({ id, onSecret }: DetailsProps) {
  const [action, setAction] = useState<Action | null>(null);
  const loaded = useQuery(
    ['keys', 'key', id],
    (signal) => get<ApiKey>(`/v1/api-keys/${encodeURIComponent(id)}`, {}, signal),
    refreshMs,
  );
  const key = loaded.data;
  const end = () => setAction(null);
  const done = () => {
    end();
    void invalidate('keys');
  };

  return (
    <Dialog title={key?.name ?? 'Key'} placement="side" onClose={close}>
      <Part of={loaded} name="the key">
        {(key) => (
          <>
            <Buttons of={key} choose={setAction} />
            <Fields of={key} />
          </>
        )}
      </Part>
      <LimitsPanel keyId={id} />
      <Activity of={{ apiKeyId: id }} />
      <Events keyId={id} />
      {key && action === 'edit' && <EditKey of={key} onClose={end} onDone={done} />}
      {key && action === 'rotate' && (
        <Rotate
          of={key}
          onClose={end}
          onRotated={(created) => {
            done();
            onSecret(created);
          }}
        />
      )}
      {key && action === 'switch' && <Switch of={key} onClose={end} onDone={done} />}
      {key && action === 'delete' && (
        <Delete
          of={key}
          onClose={end}
          onDone={() => {
            close();
            void invalidate('keys', { except: id });
          }}
        />
      )}
    </Dialog>
  );
}

function Buttons({ of: key, choose }: { of: Key; choose: (action: Action) => void }) {
  const { isUsable } = stateOf(key);
  return (
    <div class="buttons start">
      <button type="button" onClick={() => choose('edit')}>
        Change…
      </button>
      {isUsable && key.replacedBy === null && (
        <button type="button" onClick={() => choose('rotate')}>
          Rotate…
        </button>
      )}
      <button type="button" onClick={() => choose('switch')}>
        {key.active ? 'Disable…' : 'Enable…'}
      </button>
      <button type="button" class="danger" onClick={() => choose('delete')}>
        Delete…
      </button>
      <Link class="button quiet" href={hrefOf('requests', { apiKeyId: key.id })}>
        Show requests
      </Link>
      <Link class="button quiet" href={hrefOf('requests', { verifiedApiKeyId: key.id })}>
        Show verifications
      </Link>
    </div>
  );
}

function Fields({ of: key }: { of: Key }) {
  const { label, look } = stateOf(key);
  return (
    <Facts>
      <Fact name="State">
        <span class={`state ${look}`}>{label}</span>
        {isSessionKey(key.start) && <span class="soft"> You are signed in with it.</span>}
      </Fact>
      <Fact name="Start">
        <code>{key.start}</code>
      </Fact>
      <Fact name="Scopes">{key.scopes.length === 0 ? 'none' : <code>{key.scopes.join(' ')}</code>}</Fact>
      <Fact name="Owner">{key.ownerId === null ? 'none' : <OwnerLink id={key.ownerId} />}</Fact>
      {key.allowedIps.length > 0 && (
        <Fact name="Addresses">
          <code>{key.allowedIps.join(' ')}</code>
        </Fact>
      )}
      {key.metadata && (
        <Fact name="Metadata">
          <code>{JSON.stringify(key.metadata)}</code>
        </Fact>
      )}
      <Fact name="Expires">{key.expiresAt === null ? 'never' : <Timestamp at={key.expiresAt} />}</Fact>
      <Fact name="Last used">{key.lastUsed === null ? 'never' : <Timestamp at={key.lastUsed} />}</Fact>
      <Fact name="Created">
        <Timestamp at={key.createdAt} />
      </Fact>
      {key.replaces && <LinkedKey name="Replaces" id={key.replaces} />}
      {key.replacedBy && <LinkedKey name="Replaced by" id={key.replacedBy} />}
      <Fact name="Id">
        <code>{key.id}</code> <Copy text={key.id} label="Copy the id" />
      </Fact>
    </Facts>
  );
}

function Timestamp({ at }: { at: string }) {
  return (
    <>
      <Time at={at} />{' '}
      <span class="soft">
        (<Time at={at} relative />)
      </span>
    </>
  );
}

function LinkedKey({ name, id }: { name: string; id: string }) {
  return (
    <Fact name={name}>
      <KeyLink id={id}>the key …{id.slice(-6)}</KeyLink>
    </Fact>
  );
}
