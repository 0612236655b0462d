import type { Stats } from '../../routes/request-stats.js';
import type { Wire } from '../api.js';
import { Link } from '../parts/links.js';
import { count, share } from '../parts/numbers.js';
import { statusClass } from '../parts/status.js';
import { hrefWith } from '../url-state.js';

type Statuses = Wire<Stats>['statuses'];

/** @param current the status in the filter */
export function StatusMix({ statuses, current }: { statuses: Statuses; current: string | undefined }) {
  const total = statuses.reduce((sum, { count }) => sum + count, 0);
  return (
    <section class="panel statuses">
      <h2 class="panel-head">Statuses</h2>
      <div class="mix" aria-hidden="true">
        {statuses.map(({ statusCode, count }) => (
          <span key={statusCode} class={statusClass(statusCode)} style={{ flexGrow: count }} />
        ))}
      </div>
      <ul>
        {statuses
          .toSorted((a, b) => b.count - a.count)
          .map(({ statusCode, count: n }) => (
            <li key={statusCode}>
              <Link
                isCurrent={current === String(statusCode)}
                title={`Only status ${statusCode}`}
                href={hrefWith({ statusCode: String(statusCode) })}
              >
                <span class={`dot ${statusClass(statusCode)}`} />
                {statusCode}
              </Link>
              <span class="soft">{count(n)}</span>
              <span>{share(n, total)}</span>
            </li>
          ))}
      </ul>
    </section>
  );
}
