import { choose, urlState } from './url-state.js';

/** Shows or hides requests that read the management API, such as those of this page, in all views. */
export function ManagementSwitch() {
  const isShown = urlState.value.params.management === 'shown';
  return (
    <label
      class="switch"
      title="This page, and reads of what it shows: keys, usage, events, the log and its statistics"
    >
      <input type="checkbox" checked={isShown} onChange={() => choose({ management: isShown ? undefined : 'shown' })} />{' '}
      Management requests
    </label>
  );
}
