import type { LimitedKeys as Limited } from '../../routes/usage.js';
import { get, type Wire } from '../api.js';
import { nameOf, useKeyNames } from '../key-names.js';
import { KeyLink, OwnerLink } from '../parts/links.js';
import { count } from '../parts/numbers.js';
import { Part } from '../parts/part.js';
import { type Column, Table } from '../parts/table.js';
import { useQuery } from '../query-cache.js';
import { serverNow } from '../server-clock.js';
import { queryOfRange, refreshMsOf, type TimeRange } from '../time/range.js';

type LimitedKey = Wire<Limited>['keys'][number];

const refreshMs = 60_000;
const maxRows = 8;

/** The keys that limits and quotas denied most often in a range. */
export function LimitedKeys({ range }: { range: TimeRange }) {
  const loaded = useQuery(
    ['usage', 'limited', range],
    (signal) => get<Limited>('/v1/usage/limited', { ...queryOfRange(range, serverNow()), exact: true }, signal),
    refreshMsOf(range) && refreshMs,
    { canPause: true },
  );
  const names = useKeyNames(loaded.data?.keys.slice(0, maxRows).map(({ apiKeyId }) => apiKeyId));
  const columns: Column<LimitedKey>[] = [
    {
      title: 'Key',
      kind: 'wide',
      cell: ({ apiKeyId }) => <KeyLink id={apiKeyId}>{nameOf(names, apiKeyId)}</KeyLink>,
    },
    { title: 'Owner', kind: 'minor', cell: ({ ownerId }) => (ownerId === null ? '' : <OwnerLink id={ownerId} />) },
    { title: 'Over a limit', kind: 'number', cell: ({ rateLimited }) => count(rateLimited) },
    { title: 'Over a quota', kind: 'number', cell: ({ quotaExceeded }) => count(quotaExceeded) },
  ];
  return (
    <section class="panel keys-limited">
      <h2 class="panel-head">Over a limit or quota</h2>
      <Part of={loaded} name="limited keys" isEmpty={({ keys }) => keys.length === 0} empty="No key was over a limit.">
        {({ keys }) => (
          <Table
            caption="Over a limit or quota"
            rows={keys.slice(0, maxRows)}
            keyOf={({ apiKeyId }) => apiKeyId}
            columns={columns}
          />
        )}
      </Part>
    </section>
  );
}
