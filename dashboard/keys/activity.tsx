import { GroupPanel } from '../parts/groups.js';
import { rangeIn } from '../time/range.js';
import { TimeControl } from '../time/time-control.js';
import { urlState } from '../url-state.js';
import { NewestRequests } from './newest-requests.js';
import { UsagePanel } from './usage-panel.js';

/** What a key, or the keys of an owner, did in a range of time: checks, errors, routes, and the newest requests. */
export function Activity({ of }: { of: { apiKeyId: string } | { ownerId: string } }) {
  const range = rangeIn(urlState.value) ?? { preset: '30d' };
  // Everything that the key did counts here.
  const choice = { ...of, ...('preset' in range && { range: range.preset }), management: 'shown' };
  return (
    <section class="activity" aria-label="Activity">
      <TimeControl range={range} />
      <UsagePanel of={of} range={range} />
      <GroupPanel by="error" title="Errors" range={range} filter={of} choice={choice} />
      <GroupPanel by="route" title="Routes" range={range} filter={of} choice={choice} />
      <NewestRequests of={of} />
    </section>
  );
}
