import type { RequestLogEntry } from '../../routes/request-log-fields.js';
import { get, type Page } from '../api.js';
import { Link } from '../parts/links.js';
import { duration } from '../parts/numbers.js';
import { Part } from '../parts/part.js';
import { statusClass } from '../parts/status.js';
import { Table } from '../parts/table.js';
import { Time } from '../parts/time.js';
import { useQuery } from '../query-cache.js';
import { hrefOf } from '../url-state.js';

const refreshMs = 15_000;
const maxRows = 5;

/** The newest requests with a key, or with the keys of an owner. */
export function NewestRequests({ of }: { of: { apiKeyId: string } | { ownerId: string } }) {
  const loaded = useQuery(
    ['requests', 'newest', of],
    (signal) => get<Page<RequestLogEntry>>('/v1/request-logs', { ...of, limit: maxRows }, signal),
    refreshMs,
    { canPause: true },
  );
  return (
    <section>
      <h3>Newest requests</h3>
      <Part of={loaded} name="requests" isEmpty={({ data }) => data.length === 0} empty="No requests.">
        {({ data }) => (
          <Table
            caption="Newest requests"
            rows={data}
            keyOf={({ id }) => id}
            columns={[
              { title: 'Time', cell: ({ createdAt }) => <Time at={createdAt} /> },
              {
                title: 'Path',
                kind: 'wide',
                cell: ({ id, method, path }) => (
                  <Link href={hrefOf('requests', { ...of, request: id })}>
                    {method} {path}
                  </Link>
                ),
              },
              {
                title: 'Status',
                cell: ({ statusCode }) => (
                  <>
                    <span class={`dot ${statusClass(statusCode)}`} />
                    {statusCode}
                  </>
                ),
              },
              { title: 'Duration', kind: 'number minor', cell: ({ duration: ms }) => duration(ms) },
            ]}
          />
        )}
      </Part>
    </section>
  );
}
