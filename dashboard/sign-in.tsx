import type { TargetedSubmitEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Me } from '../routes/me.js';
import { ApiError, requestJson } from './api.js';
import { signIn } from './session.js';

const notAKey = 'This does not look like a key.';

/** @param notice why the session ended; empty at the first sign-in */
export function SignIn({ notice }: { notice: string }) {
  const [message, setMessage] = useState('');
  const [isSigningIn, setIsSigningIn] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const key = keyIn(field.current?.value ?? '');
    if (key === '') return showError('Paste an admin key.');
    // A header cannot contain other characters.
    if (!/^[!-~]+$/.test(key)) return showError(notAKey);
    setIsSigningIn(true);
    try {
      const { id, name, scopes } = await requestJson<Me>('GET', '/v1/me', { key });
      if (scopes.includes('admin')) return signIn(key, { id, name });
      showError(`“${name}” is a valid key, but not an admin key. The dashboard needs the scope admin.`);
    } catch (error) {
      showError(reasonOf(error as Error));
    }
    setIsSigningIn(false);
  }

  function showError(why: string) {
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
        <p id="key-message" class="form-error" role="alert">
          {message}
        </p>
        <button type="submit" class="primary" disabled={isSigningIn}>
          {isSigningIn ? 'Signing in…' : 'Sign in'}
        </button>
        <p id="key-hint" class="hint">
          The key stays in this tab until you sign out or close it. On an embedded database the first start of the
          service prints one; <code>npm run keys -- create --name me --scope admin</code> creates another.
        </p>
      </form>
    </main>
  );
}

/** The key in a pasted text: without a header's name and scheme, and without line breaks of a terminal. */
function keyIn(text: string): string {
  return text.replace(/^\s*(authorization:|x-api-key:)?\s*(bearer\s)?/i, '').replace(/\s/g, '');
}

function reasonOf(error: Error): string {
  if (!(error instanceof ApiError)) return error.message;
  const { status, detail } = error.problem;
  if (status === 401) return 'This is not a key of this service, or no longer one.';
  if (status === 400) return notAKey;
  if (status === 503) return `The service cannot check keys at the moment: ${detail}.`;
  return detail;
}
