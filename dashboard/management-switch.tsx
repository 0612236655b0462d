import { choose, type UrlState, urlState } from './url-state.js';

/** Whether requests that read the management API are left out, such as those of this page. */
export const isManagementHidden = ({ params }: Pick<UrlState, 'params'>) => params.management !== 'shown';

/** Shows or hides requests that read the management API, in all views. */
export function ManagementSwitch() {
  const isHidden = isManagementHidden(urlState.value);
  return (
    <label
      class="switch"
      title="This page, and reads of what it shows: keys, usage, events, the log and its statistics"
    >
      <input
        type="checkbox"
        checked={!isHidden}
        onChange={() => choose({ management: isHidden ? 'shown' : undefined })}
      />{' '}
      Management requests
    </label>
  );
}
