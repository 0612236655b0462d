import { Link } from '../parts/links.js';
import { hrefOf } from '../url-state.js';
import { NewestRequests } from './newest-requests.js';
import { OwnerLimits } from './owner-limits.js';
import { UsagePanel } from './usage-panel.js';

/** The usage of an owner, above the list of its keys. */
export function Owner({ id }: { id: string }) {
  return (
    <section class="panel owner">
      <div class="toolbar">
        <h2>Owner {id}</h2>
        <Link class="button quiet at-end" href={hrefOf('requests', { ownerId: id })}>
          Show requests
        </Link>
      </div>
      <OwnerLimits key={id} ownerId={id} />
      <UsagePanel of={{ ownerId: id }} />
      <NewestRequests of={{ ownerId: id }} />
    </section>
  );
}
