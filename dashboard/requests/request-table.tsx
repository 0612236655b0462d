import { nameOf } from '../key-names.js';
import { KeyLink, Link } from '../parts/links.js';
import { duration } from '../parts/numbers.js';
import { statusClass } from '../parts/status.js';
import { type Column, Table } from '../parts/table.js';
import { Time } from '../parts/time.js';
import { hrefWith } from '../url-state.js';
import type { Entry } from './request-list.js';

/** Durations that are highlighted. */
const slowMs = 1_000;

interface RequestTableProps {
  rows: Entry[];
  keyNames: ReadonlyMap<string, string>;
  isSlowestFirst: boolean;
}

export function RequestTable({ rows, keyNames, isSlowestFirst }: RequestTableProps) {
  const duration: Column<Entry> = { ...took, header: <SortLink isSlowestFirst={isSlowestFirst} /> };
  const key: Column<Entry> = {
    title: 'Key',
    kind: 'minor',
    cell: ({ apiKeyId }) =>
      apiKeyId === null ? (
        <span class="soft">none</span>
      ) : (
        <span class="key-name">
          <KeyLink id={apiKeyId}>
            <bdi>{nameOf(keyNames, apiKeyId)}</bdi>
          </KeyLink>
        </span>
      ),
  };
  return (
    <Table
      caption={`Requests, ${isSlowestFirst ? 'slowest' : 'newest'} first`}
      rows={rows}
      keyOf={({ id }) => id}
      columns={[time, request, status, duration, key, address]}
    />
  );
}

function SortLink({ isSlowestFirst }: { isSlowestFirst: boolean }) {
  const sort = isSlowestFirst ? undefined : 'slowest';
  return (
    <Link title={isSlowestFirst ? 'Newest first' : 'Slowest first'} href={hrefWith({ sort })}>
      Duration{isSlowestFirst && ' ↓'}
    </Link>
  );
}

const time: Column<Entry> = { title: 'Time', cell: ({ createdAt }) => <Time at={createdAt} /> };

const request: Column<Entry> = {
  title: 'Request',
  kind: 'wide',
  cell: ({ id, method, path }) => (
    <Link class="link opens-row" shortcut="row" title={path} href={hrefWith({ request: id })}>
      <span class="method">{method}</span> {path}
    </Link>
  ),
};

const status: Column<Entry> = {
  title: 'Status',
  cell: ({ statusCode }) => (
    <>
      <span class={`dot ${statusClass(statusCode)}`} />
      {statusCode}
    </>
  ),
};

const took: Column<Entry> = {
  title: 'Duration',
  kind: 'number',
  cell: ({ duration: ms }) => <span class={ms >= slowMs ? 'warn' : undefined}>{duration(ms)}</span>,
};

const address: Column<Entry> = { title: 'Address', kind: 'minor', cell: ({ ip }) => <span class="soft">{ip}</span> };
