import { Link, OwnerLink } from '../parts/links.js';
import { count } from '../parts/numbers.js';
import { Sparkline } from '../parts/sparkline.js';
import { type Column, Table } from '../parts/table.js';
import { Time } from '../parts/time.js';
import { isSessionKey } from '../session.js';
import { hrefWith, urlState } from '../url-state.js';
import { type Key, stateOf } from './state.js';
import type { Usage } from './usage.js';

interface KeyTableProps {
  keys: Key[];
  usage: ReadonlyMap<string, Usage>;
  isUsageKnown: boolean;
}

const unused: Usage = { total: 0, errors: 0, hourly: new Array(24).fill(0) };

/** The columns that the shown keys can be sorted by, and their values; undefined sorts last. */
const sorts: Record<string, (key: Key, usage: ReadonlyMap<string, Usage>) => string | undefined> = {
  name: ({ name }) => name.toLowerCase(),
  expires: ({ expiresAt }) => expiresAt ?? undefined,
  used: ({ lastUsed }) => (lastUsed === null ? undefined : descending(Date.parse(lastUsed))),
  requests: ({ id }, usage) => descending(usage.get(id)?.total ?? 0),
};

/** A text that sorts larger numbers first. */
const descending = (n: number) => String(Number.MAX_SAFE_INTEGER - n).padStart(16, '0');

/** Sorts keys, or puts replaced keys below the keys that replaced them. */
function arranged(keys: Key[], usage: ReadonlyMap<string, Usage>): Key[] {
  const sortedBy = sorts[urlState.value.params.sort ?? ''];
  if (sortedBy) return keys.toSorted((a, b) => ((sortedBy(a, usage) ?? '~') < (sortedBy(b, usage) ?? '~') ? -1 : 1));
  const byId = new Map(keys.map((key) => [key.id, key]));
  const withReplaced = (key: Key): Key[] => {
    const replaced = key.replaces ? byId.get(key.replaces) : undefined;
    return replaced ? [key, ...withReplaced(replaced)] : [key];
  };
  return keys.filter(({ replacedBy }) => !replacedBy || !byId.has(replacedBy)).flatMap(withReplaced);
}

function SortLink({ by, children }: { by: string; children: string }) {
  const isSorted = urlState.value.params.sort === by;
  return (
    <Link
      href={hrefWith({ sort: isSorted ? undefined : by, cursor: undefined })}
      title={isSorted ? 'Newest first' : 'Sort'}
      isCurrent={isSorted}
    >
      {children}
      {isSorted && ' •'}
    </Link>
  );
}

/** @param usage by the ids of keys with requests; without `isUsageKnown` it is not loaded yet */
export function KeyTable({ keys, usage, isUsageKnown }: KeyTableProps) {
  const columns: Column<Key>[] = [
    { title: 'Name', header: <SortLink by="name">Name</SortLink>, kind: 'wide', cell: (key) => <Name of={key} /> },
    { title: 'Begins with', kind: 'minor', cell: ({ start }) => <code>{start}</code> },
    {
      title: 'Owner',
      kind: 'minor',
      cell: ({ ownerId }) => (ownerId === null ? <span class="soft">none</span> : <OwnerLink id={ownerId} />),
    },
    { title: 'Scopes', kind: 'minor', cell: ({ scopes }) => <Scopes scopes={scopes} /> },
    { title: 'State', cell: (key) => <State of={key} /> },
    {
      title: 'Last used',
      header: <SortLink by="used">Last used</SortLink>,
      kind: 'minor',
      cell: ({ lastUsed }) => <When at={lastUsed} />,
    },
    {
      title: 'Expires',
      header: <SortLink by="expires">Expires</SortLink>,
      kind: 'minor',
      cell: ({ expiresAt }) => <When at={expiresAt} />,
    },
    {
      title: 'Requests in the last day',
      header: <SortLink by="requests">Requests in the last day</SortLink>,
      kind: 'number',
      cell: ({ id, name }) => <LastDay name={name} usage={usage.get(id) ?? (isUsageKnown ? unused : undefined)} />,
    },
  ];
  return <Table caption="Keys" rows={arranged(keys, usage)} keyOf={({ id }) => id} columns={columns} asCards />;
}

function Name({ of: { id, name, start, replacedBy } }: { of: Key }) {
  return (
    <>
      {replacedBy && <span class="soft">↳ </span>}
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
