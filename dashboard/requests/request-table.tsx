import { nameOf } from '../key-names.js';
import { KeyLink } from '../parts/links.js';
import { duration } from '../parts/numbers.js';
import { statusClass } from '../parts/status.js';
import { type Column, Table } from '../parts/table.js';
import { Time } from '../parts/time.js';
import { choose } from '../url-state.js';
import type { Entry } from './request-list.js';

/** Durations that are highlighted. */
const slowMs = 1_000;

export function RequestTable({ rows, keyNames }: { rows: Entry[]; keyNames: ReadonlyMap<string, string> }) {
  const key: Column<Entry> = {
    title: 'Key',
    kind: 'minor',
    cell: ({ apiKeyId }) =>
      apiKeyId === null ? (
        <span class="soft">none</span>
      ) : (
        <span class="key-name">
          <KeyLink id={apiKeyId}>{nameOf(keyNames, apiKeyId)}</KeyLink>
        </span>
      ),
  };
  return (
    <Table caption="Requests, newest first" rows={rows} keyOf={({ id }) => id} columns={[...before, key, address]} />
  );
}

const before: Column<Entry>[] = [
  { title: 'Time', cell: ({ createdAt }) => <Time at={createdAt} /> },
  {
    title: 'Request',
    kind: 'wide',
    cell: ({ id, method, path }) => (
      <button
        type="button"
        class="link opens-row"
        data-shortcut="row"
        title={path}
        onClick={() => choose({ request: id })}
      >
        <span class="method">{method}</span> {path}
      </button>
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
  {
    title: 'Took',
    kind: 'number',
    cell: ({ duration: ms }) => <span class={ms >= slowMs ? 'warn' : undefined}>{duration(ms)}</span>,
  },
];

const address: Column<Entry> = { title: 'From', kind: 'minor', cell: ({ ip }) => <span class="soft">{ip}</span> };
