import type { TargetedSubmitEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Me } from '../../me.js';
import { ApiError, ask } from './api.js';
import { signIn } from './session.js';

const noKey = 'This does not look like a key.';

/** @param notice why one is here again */
export function SignIn({ notice }: { notice: string }) {
  const [message, setMessage] = useState('');
  const [isAsking, setIsAsking] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const key = field.current?.value.trim() ?? '';
    if (key === '') return refuse('Paste an admin key.');
    // A header could not carry it.
    if (!/^[!-~]+$/.test(key)) return refuse(noKey);
    setIsAsking(true);
    try {
      const { name, scopes } = await ask<Me>('GET', '/v1/me', { key });
      if (scopes.includes('admin')) return signIn(key, name);
      refuse(`“${name}” is a good key, but not an admin key. The dashboard needs the scope admin.`);
    } catch (error) {
      refuse(reasonOf(error as Error));
    }
    setIsAsking(false);
  }

  function refuse(why: string) {
    setMessage(why);
    field.current?.select();
  }

  return (
    <main class="sign-in">
      <form onSubmit={submit} noValidate>
        <h1>musicez</h1>
        {notice && <p role="status">{notice}</p>}
        <label for="key">Admin key</label>
        <input
          id="key"
          ref={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          aria-describedby="key-message key-hint"
          aria-invalid={message !== ''}
        />
        <p id="key-message" class="refusal" role="alert">
          {message}
        </p>
        <button type="submit" class="primary" disabled={isAsking}>
          {isAsking ? 'Asking…' : 'Sign in'}
        </button>
        <p id="key-hint" class="hint">
          The key stays in this tab until you sign out or close it. The first start of the service printed one;{' '}
          <code>npm run keys -- create --name me --scope admin</code> makes another.
        </p>
      </form>
    </main>
  );
}

function reasonOf(error: Error): string {
  if (!(error instanceof ApiError)) return error.message;
  const { status, detail } = error.problem;
  if (status === 401) return 'This is not a key of this service, or no longer one.';
  if (status === 400) return noKey;
  if (status === 503) return `The service cannot check keys just now: ${detail}.`;
  return detail;
}
