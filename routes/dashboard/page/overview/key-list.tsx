import type { Stats } from '../../../request-stats.js';
import type { Wire } from '../api.js';
import { nameOf, useKeyNames } from '../key-names.js';
import { count, share } from '../parts/numbers.js';
import { Empty } from '../parts/part.js';
import { type Column, Table } from '../parts/table.js';
import { goTo } from '../place.js';

type Keys = Wire<Stats>['keys'];
type Key = NonNullable<Keys>[number];

const shown = 8;

interface KeyListProps {
  /** Null where they are not counted. */
  keys: Keys;
  total: number;
  /** Of the range. */
  lengthMs: number;
}

export function KeyList({ keys, total, lengthMs }: KeyListProps) {
  const show = (apiKeyId: string) =>
    goTo('requests', { apiKeyId, from: new Date(Date.now() - lengthMs).toISOString() });
  const names = useKeyNames();
  const columns: Column<Key>[] = [
    {
      title: 'Key',
      kind: 'wide',
      cell: ({ apiKeyId }) => (
        <button type="button" class="link" title="Its requests" onClick={() => show(apiKeyId)}>
          {nameOf(names, apiKeyId)}
        </button>
      ),
    },
    { title: 'Requests', kind: 'number', cell: (key) => count(key.count) },
    { title: 'Share', kind: 'number', cell: (key) => share(key.count, total) },
    {
      title: '5xx',
      kind: 'number',
      cell: (key) => <span class={key.errors > 0 ? 'bad' : 'soft'}>{share(key.errors, key.count)}</span>,
    },
  ];
  return (
    <section class="panel keys-busy">
      <h2 class="panel-head">Busiest keys</h2>
      {keys === null ? (
        <Empty>Keys are not counted by route, method or status.</Empty>
      ) : keys.length === 0 ? (
        <Empty>Nobody presented a key.</Empty>
      ) : (
        <Table
          caption="Busiest keys"
          rows={keys.slice(0, shown)}
          keyOf={({ apiKeyId }) => apiKeyId}
          columns={columns}
        />
      )}
    </section>
  );
}
