import { observed, useObserved } from './observed.js';

export interface Session {
  /** The admin key, or null where nobody is signed in. */
  key: string | null;
  /** The key's name. */
  who: string;
  /** Why the session ended, for the one who has to sign in again. */
  notice: string;
}

/** Lives as long as the tab, is seen by this tab only, and goes nowhere but into the Authorization header. */
const storage = window.sessionStorage;
const names = { key: 'musicez.key', who: 'musicez.who' } as const;
const nobody: Session = { key: null, who: '', notice: '' };

const session = observed<Session>({
  key: storage.getItem(names.key),
  who: storage.getItem(names.who) ?? '',
  notice: '',
});

export const useSession = () => useObserved(session);

/** The key to present, or null. */
export const currentKey = () => session.get().key;

/** @param start the first characters of a key, as it is listed */
export const isSessionKey = (start: string) => start !== '' && (currentKey()?.startsWith(start) ?? false);

export function signIn(key: string, who: string) {
  storage.setItem(names.key, key);
  storage.setItem(names.who, who);
  session.set({ key, who, notice: '' });
}

let holds = 0;

/** No refusal of the key ends the session, for there is something on the page that must not go with it. @returns lets go */
export function holdSession(): () => void {
  holds++;
  return () => {
    holds--;
  };
}

/** While `work` puts another key in the place of the session's, no refusal of the old one ends the session. */
export async function renewSession(work: () => Promise<void>): Promise<void> {
  const letGo = holdSession();
  try {
    await work();
  } finally {
    letGo();
  }
}

/** Whether a refusal of this key is about the session. */
export const isSessionOf = (key: string | null) => key === currentKey() && holds === 0;

/** Forgets the key. The place stays in the URL. */
export function signOut(notice = '') {
  storage.removeItem(names.key);
  storage.removeItem(names.who);
  session.set({ ...nobody, notice });
}
