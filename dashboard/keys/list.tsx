import { Link, OwnerLink } from '../parts/links.js';
import { count } from '../parts/numbers.js';
import { Sparkline } from '../parts/sparkline.js';
import { type Column, Table } from '../parts/table.js';
import { Time } from '../parts/time.js';
import { isSessionKey } from '../session.js';
import { hrefWith } from '../url-state.js';
import { type Key, stateOf } from './state.js';
import type { Usage } from './usage.js';

interface KeyTableProps {
  keys: Key[];
  usage: ReadonlyMap<string, Usage>;
  isUsageKnown: boolean;
}

const unused: Usage = { total: 0, errors: 0, hourly: new Array(24).fill(0) };

/** @param usage by the ids of keys with requests; `isUsageKnown`: whether the other keys had none */
export function KeyTable({ keys, usage, isUsageKnown }: KeyTableProps) {
  const columns: Column<Key>[] = [
    { title: 'Name', kind: 'wide', cell: (key) => <Name of={key} /> },
    { title: 'Begins with', kind: 'minor', cell: ({ start }) => <code>{start}</code> },
    {
      title: 'Owner',
      kind: 'minor',
      cell: ({ ownerId }) => (ownerId === null ? <span class="soft">none</span> : <OwnerLink id={ownerId} />),
    },
    { title: 'Scopes', kind: 'minor', cell: ({ scopes }) => <Scopes scopes={scopes} /> },
    { title: 'State', cell: (key) => <State of={key} /> },
    { title: 'Last used', kind: 'minor', cell: ({ lastUsed }) => <When at={lastUsed} /> },
    { title: 'Expires', kind: 'minor', cell: ({ expiresAt }) => <When at={expiresAt} /> },
    {
      title: 'Requests in the last day',
      kind: 'number',
      cell: ({ id, name }) => <LastDay name={name} usage={usage.get(id) ?? (isUsageKnown ? unused : undefined)} />,
    },
  ];
  return <Table caption="Keys" rows={keys} keyOf={({ id }) => id} columns={columns} />;
}

function Name({ of: { id, name, start } }: { of: Key }) {
  return (
    <>
      <Link shortcut="row" title="Details" href={hrefWith({ key: id })}>
        <bdi>{name}</bdi>
      </Link>
      {isSessionKey(start) && <span class="tag">you</span>}
    </>
  );
}

function State({ of }: { of: Key }) {
  const { label, look } = stateOf(of);
  return <span class={`state ${look}`}>{label}</span>;
}

const shownScopes = 3;

function Scopes({ scopes }: { scopes: string[] }) {
  if (scopes.length === 0) return <span class="soft">none</span>;
  const others = scopes.length - shownScopes;
  return (
    <code title={scopes.join(' ')}>
      {scopes.slice(0, shownScopes).join(' ')}
      {others > 0 && ` +${others}`}
    </code>
  );
}

function When({ at }: { at: string | null }) {
  return at === null ? <span class="soft">never</span> : <Time at={at} relative />;
}

function LastDay({ name, usage }: { name: string; usage: Usage | undefined }) {
  if (usage === undefined) return <span class="soft">…</span>;
  const { total, hourly } = usage;
  const label = `${name}: ${count(total)} requests in the last day, at most ${count(Math.max(...hourly))} an hour`;
  return (
    <span class="last-day">
      {count(total)} <Sparkline values={withoutPartialHour(hourly)} label={label} />
    </span>
  );
}

/** Leaves out the current hour while it has fewer requests than the one before: it would look like a drop in traffic. */
function withoutPartialHour(hourly: number[]): number[] {
  const [before = 0, current = 0] = hourly.slice(-2);
  return current < before ? hourly.slice(0, -1) : hourly;
}
