import type { RequestGroups } from '../../routes/request-groups.js';
import { get, type Query, type Wire } from '../api.js';
import { useQuery } from '../query-cache.js';
import { sameAgent } from '../requests/filter.js';
import { routeParam, routeTitle } from '../route.js';
import { serverNow } from '../server-clock.js';
import { queryOfRange, refreshMsOf, type TimeRange } from '../time/range.js';
import type { Choice } from '../url-state.js';
import { RequestsLink } from './links.js';
import { count } from './numbers.js';
import { Part } from './part.js';
import { statusClass } from './status.js';
import { type Column, Table } from './table.js';
import { momentOf, Time } from './time.js';

type Group = Wire<RequestGroups>['groups'][number];
type GroupKind = 'error' | 'ip' | 'userAgent' | 'route';

/** As in plugins/request-log/groups.ts, which needs Node.js. */
const maxGroupedRequests = 5_000;
const maxRows = 8;
const minRefreshMs = 15_000;

/** Loads groups of the requests of a range. */
export function useGroups(by: GroupKind | 'apiKeyId', range: TimeRange, filter: Query) {
  const refreshMs = refreshMsOf(range);
  return useQuery(
    ['groups', by, range, filter],
    (signal) =>
      get<RequestGroups>('/v1/request-logs/groups', { ...queryOfRange(range, serverNow()), ...filter, by }, signal),
    refreshMs && Math.max(refreshMs, minRefreshMs),
    { canPause: true },
  );
}

interface GroupPanelProps {
  by: GroupKind;
  title: string;
  range: TimeRange;
  filter: Query;
  /** The URL parameters that open the log with the same requests. */
  choice: Choice;
}

/** The largest groups of the requests of a range. Each leads to its requests. */
export function GroupPanel({ by, title, range, filter, choice }: GroupPanelProps) {
  const loaded = useGroups(by, range, filter);
  const name: Column<Group> = {
    title: titles[by],
    kind: 'wide',
    cell: (group) => {
      const only = choiceOf(by, group);
      return only ? (
        <RequestsLink filter={{ ...choice, ...only }}>{textOf(by, group)}</RequestsLink>
      ) : (
        textOf(by, group)
      );
    },
  };
  return (
    <section class={`panel groups by-${by}`}>
      <h2 class="panel-head">{title}</h2>
      <Part of={loaded} name={title.toLowerCase()} isEmpty={({ groups }) => groups.length === 0} empty="None.">
        {({ groups, readSince }) => (
          <>
            <ReadSince at={readSince} />
            <Table
              caption={title}
              rows={worstFirst(groups).slice(0, maxRows)}
              keyOf={(group) => JSON.stringify(choiceOf(by, group))}
              columns={[name, requests, ...(by === 'error' ? [firstSeen] : []), lastSeen, keys]}
            />
          </>
        )}
      </Part>
    </section>
  );
}

/** Errors of the service before those of its clients; otherwise in the order of the service. */
function worstFirst(groups: Group[]): Group[] {
  const isServerError = ({ statusCode = 0 }: Group) => statusCode >= 500;
  return groups.toSorted((a, b) => Number(isServerError(b)) - Number(isServerError(a)));
}

/** Says that earlier requests are not counted. */
export function ReadSince({ at }: { at: string | null }) {
  if (at === null) return null;
  return (
    <p class="soft">
      Of the newest {count(maxGroupedRequests)} requests, since {momentOf(new Date(at))}.
    </p>
  );
}

/** The titles of the first column. */
const titles: Record<GroupKind, string> = {
  error: 'Error',
  ip: 'Address',
  userAgent: 'User agent',
  route: 'Route',
};

const requests: Column<Group> = { title: 'Requests', kind: 'number', cell: (group) => count(group.count) };
const firstSeen: Column<Group> = { title: 'First', kind: 'minor', cell: (group) => <Time at={group.firstSeen} /> };
const lastSeen: Column<Group> = {
  title: 'Last',
  kind: 'minor',
  cell: (group) => <Time at={group.lastSeen} relative />,
};
const keys: Column<Group> = { title: 'Keys', kind: 'number minor', cell: (group) => count(group.keyCount) };

function textOf(by: GroupKind, group: Group) {
  switch (by) {
    case 'error':
    case 'route':
      return (
        <>
          {by === 'error' && (
            <>
              <span class={`dot ${statusClass(group.statusCode ?? 0)}`} />
              {group.statusCode}{' '}
            </>
          )}
          <span class="method">{group.method}</span> {routeTitle(group.route ?? '')}
        </>
      );
    case 'ip':
      return group.ip;
    case 'userAgent':
      return <bdi>{group.userAgent ?? 'none'}</bdi>;
  }
}

/** The filter for the requests of a group; undefined when the log has none. */
function choiceOf(by: GroupKind, { method, route, statusCode, ip, userAgent = null }: Group): Choice | undefined {
  switch (by) {
    case 'error':
      return { method, route: routeParam(route ?? ''), statusCode: String(statusCode) };
    case 'route':
      return { method, route: routeParam(route ?? '') };
    case 'ip':
      return { ip };
    case 'userAgent':
      return sameAgent(userAgent);
  }
}
