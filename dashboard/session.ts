import { signal } from '@preact/signals';

export interface Session {
  /** The admin key; null when signed out. */
  key: string | null;
  /** The key's name. */
  keyName: string;
  /** The key's id; empty when signed out. */
  keyId: string;
  /** The reason why the session ended, to show at sign-in. */
  notice: string;
}

/** Belongs to this tab, and ends with it. The key is sent only in the Authorization header. */
const storage = window.sessionStorage;
const names = { key: 'musicez.key', keyName: 'musicez.who', keyId: 'musicez.key-id' } as const;
const signedOut: Session = { key: null, keyName: '', keyId: '', notice: '' };

/** The session of this tab. */
export const session = signal<Session>({
  key: storage.getItem(names.key),
  keyName: storage.getItem(names.keyName) ?? '',
  keyId: storage.getItem(names.keyId) ?? '',
  notice: '',
});

/** The admin key of the session; null when signed out. */
export const currentKey = () => session.peek().key;

/** @param start the first characters of a key, as in the list */
export const isSessionKey = (start: string) => start !== '' && (currentKey()?.startsWith(start) ?? false);

export function signIn(key: string, { id, name }: { id: string; name: string }) {
  storage.setItem(names.key, key);
  storage.setItem(names.keyName, name);
  storage.setItem(names.keyId, id);
  session.value = { key, keyName: name, keyId: id, notice: '' };
}

let holdCount = 0;

/** Until the returned function is called, a denial of the key does not end the session. */
export function holdSession(): () => void {
  holdCount++;
  return () => {
    holdCount--;
  };
}

/** Runs `work`, which replaces the key of the session. Until it is done, a denial of the old key does not end the session. */
export async function renewSession(work: () => Promise<void>): Promise<void> {
  const releaseSession = holdSession();
  try {
    await work();
  } finally {
    releaseSession();
  }
}

/** Whether a denial of this key ends the session. */
export const denialEndsSession = (key: string | null) => key === currentKey() && holdCount === 0;

/** Removes the key. The URL does not change, so the same view opens after the next sign-in. */
export function signOut(notice = '') {
  for (const name of Object.values(names)) storage.removeItem(name);
  session.value = { ...signedOut, notice };
}
