import { createObserved, useObserved } from './observed.js';

export interface Session {
  /** The admin key; null when signed out. */
  key: string | null;
  /** The key's name. */
  keyName: string;
  /** The reason why the session ended, to show at sign-in. */
  notice: string;
}

/** Belongs to this tab, and ends with it. The key is sent only in the Authorization header. */
const storage = window.sessionStorage;
const names = { key: 'musicez.key', keyName: 'musicez.who' } as const;
const signedOut: Session = { key: null, keyName: '', notice: '' };

const session = createObserved<Session>({
  key: storage.getItem(names.key),
  keyName: storage.getItem(names.keyName) ?? '',
  notice: '',
});

export const useSession = () => useObserved(session);

/** The admin key of the session; null when signed out. */
export const currentKey = () => session.get().key;

/** @param start the first characters of a key, as in the list */
export const isSessionKey = (start: string) => start !== '' && (currentKey()?.startsWith(start) ?? false);

export function signIn(key: string, keyName: string) {
  storage.setItem(names.key, key);
  storage.setItem(names.keyName, keyName);
  session.set({ key, keyName, notice: '' });
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
  storage.removeItem(names.key);
  storage.removeItem(names.keyName);
  session.set({ ...signedOut, notice });
}
