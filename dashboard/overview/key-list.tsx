import type { Stats } from '../../routes/request-stats.js';
import type { Wire } from '../api.js';
import { nameOf, useKeyNames } from '../key-names.js';
import { KeyLink } from '../parts/links.js';
import { count, share } from '../parts/numbers.js';
import { Empty } from '../parts/part.js';
import { type Column, Table } from '../parts/table.js';
import { type Choice, goTo } from '../url-state.js';

export type KeyFigures = NonNullable<Wire<Stats>['keys']>[number];

const maxRows = 8;

interface KeyListProps {
  /** Busiest first. */
  keys: KeyFigures[];
  /** The number of all requests. */
  total: number;
  /** Shows the requests of a key in the log. */
  choice: () => Choice;
}

export function KeyList({ keys, total, choice }: KeyListProps) {
  const show = (apiKeyId: string) => goTo('requests', { ...choice(), apiKeyId });
  const names = useKeyNames(keys.slice(0, maxRows).map(({ apiKeyId }) => apiKeyId));
  const columns: Column<KeyFigures>[] = [
    {
      title: 'Key',
      kind: 'wide',
      cell: ({ apiKeyId }) => (
        <button type="button" class="link" title="Show requests" onClick={() => show(apiKeyId)}>
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
    { title: 'Key page', kind: 'minor', cell: ({ apiKeyId }) => <KeyLink id={apiKeyId}>Details</KeyLink> },
  ];
  if (keys.length === 0) return <Empty>No request had a key.</Empty>;
  return (
    <Table caption="Busiest keys" rows={keys.slice(0, maxRows)} keyOf={({ apiKeyId }) => apiKeyId} columns={columns} />
  );
}
