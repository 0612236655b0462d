import { Link } from '../parts/links.js';
import { hrefOf } from '../url-state.js';
import { Activity } from './activity.js';
import { OwnerLimits } from './owner-limits.js';

/** The usage of an owner, above the list of its keys. */
export function Owner({ id }: { id: string }) {
  return (
    <section class="panel owner">
      <div class="toolbar">
        <h2>
          Owner <bdi>{id}</bdi>
        </h2>
        <Link class="button quiet at-end" href={hrefOf('requests', { ownerId: id })}>
          Show requests
        </Link>
      </div>
      <OwnerLimits key={id} ownerId={id} />
      <Activity of={{ ownerId: id }} />
    </section>
  );
}
