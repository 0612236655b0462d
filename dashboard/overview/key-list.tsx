import type { Stats } from '../../routes/request-stats.js';
import type { Query, Wire } from '../api.js';
import { nameOf, useKeyNames } from '../key-names.js';
import { isManagementHidden } from '../management-switch.js';
import { ReadSince, useGroups } from '../parts/groups.js';
import { KeyLink, RequestsLink } from '../parts/links.js';
import { count, share } from '../parts/numbers.js';
import { Empty, Part } from '../parts/part.js';
import { type Column, Table } from '../parts/table.js';
import { session } from '../session.js';
import type { TimeRange } from '../time/range.js';
import { type Choice, urlState } from '../url-state.js';

interface KeyFigures {
  apiKeyId: string;
  count: number;
  /** Unknown for requests that match a filter. */
  errors?: number;
}

const maxRows = 8;

interface KeyListProps {
  /** Busiest first; null: the statistics of keys do not have the filter. */
  keys: Wire<Stats>['keys'];
  /** The number of all requests. */
  total: number;
  range: TimeRange;
  filter: Query;
  /** The URL parameters that open the log with the same requests. */
  choice: Choice;
}

/** The busiest keys. */
export function KeyList({ keys, total, range, filter, choice }: KeyListProps) {
  const isHidden = isManagementHidden(urlState.value);
  const shown = keys?.filter(({ apiKeyId }) => !isHidden || apiKeyId !== session.value.keyId);
  return (
    <section class="panel keys-busy">
      <h2 class="panel-head">Busiest keys</h2>
      {shown ? (
        <>
          {isHidden && <p class="soft">Without the key of this session. Management requests of other keys count.</p>}
          <KeyTable
            keys={shown}
            total={isHidden ? shown.reduce((sum, { count }) => sum + count, 0) : total}
            choice={choice}
          />
        </>
      ) : (
        <FilteredKeys range={range} filter={filter} choice={choice} />
      )}
    </section>
  );
}

/** The keys of the newest requests that match a filter: the statistics of keys have no route, method or status. */
function FilteredKeys({ range, filter, choice }: Pick<KeyListProps, 'range' | 'filter' | 'choice'>) {
  const loaded = useGroups('apiKeyId', range, { ...filter, hasKey: true });
  return (
    <Part of={loaded} name="keys">
      {({ groups, readSince }) => (
        <>
          <ReadSince at={readSince} />
          <KeyTable
            keys={groups.map(({ apiKeyId, count }) => ({ apiKeyId: apiKeyId ?? '', count }))}
            total={groups.reduce((sum, { count }) => sum + count, 0)}
            choice={choice}
          />
        </>
      )}
    </Part>
  );
}

function KeyTable({ keys, total, choice }: { keys: KeyFigures[]; total: number; choice: Choice }) {
  const rows = keys.slice(0, maxRows);
  const names = useKeyNames(rows.map(({ apiKeyId }) => apiKeyId));
  const columns: Column<KeyFigures>[] = [
    {
      title: 'Key',
      kind: 'wide',
      cell: ({ apiKeyId }) => (
        <RequestsLink filter={{ ...choice, apiKeyId }}>
          <bdi>{nameOf(names, apiKeyId)}</bdi>
        </RequestsLink>
      ),
    },
    { title: 'Requests', kind: 'number', cell: (key) => count(key.count) },
    { title: 'Share', kind: 'number', cell: (key) => share(key.count, total) },
    {
      title: '5xx',
      kind: 'number',
      cell: ({ errors, count }) =>
        errors === undefined ? '' : <span class={errors > 0 ? 'bad' : 'soft'}>{share(errors, count)}</span>,
    },
    { title: 'Key page', kind: 'minor', cell: ({ apiKeyId }) => <KeyLink id={apiKeyId}>Details</KeyLink> },
  ];
  if (rows.length === 0) return <Empty>No request had a key.</Empty>;
  return <Table caption="Busiest keys" rows={rows} keyOf={({ apiKeyId }) => apiKeyId} columns={columns} />;
}
