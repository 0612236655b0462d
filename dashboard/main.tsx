import { effect } from '@preact/signals';
import { render } from 'preact';
import { queryCache } from './query-cache.js';
import { session } from './session.js';
import { Shell } from './shell.js';
import { SignIn } from './sign-in.js';

function Page() {
  const { key, keyName, notice } = session.value;
  return key === null ? <SignIn notice={notice} /> : <Shell keyName={keyName} />;
}

// The next user may not be allowed to see the data.
effect(() => {
  if (session.value.key === null) queryCache.clear();
});

const root = document.getElementById('page');
if (root) render(<Page />, root);
