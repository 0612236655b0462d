import { render } from 'preact';
import { useSession } from './session.js';
import { Shell } from './shell.js';
import { SignIn } from './sign-in.js';

function Page() {
  const session = useSession();
  return session.key === null ? <SignIn notice={session.notice} /> : <Shell keyName={session.keyName} />;
}

const root = document.getElementById('page');
if (root) render(<Page />, root);
