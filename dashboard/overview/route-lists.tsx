import type { Stats } from '../../routes/request-stats.js';
import type { Wire } from '../api.js';
import { Link } from '../parts/links.js';
import { count, percentile, share } from '../parts/numbers.js';
import { type Column, Table } from '../parts/table.js';
import { routeParam, routeTitle } from '../route.js';
import { hrefWith } from '../url-state.js';

type Route = Wire<Stats>['routes'][number];

const maxRows = 8;
/** Routes with fewer requests are not listed as slow. */
const minRequests = 10;

export function RouteLists({ routes }: { routes: Route[] }) {
  const frequentRoutes = routes.filter(({ count }) => count >= minRequests);
  const slowest = (frequentRoutes.length > 0 ? frequentRoutes : routes).toSorted((a, b) => (b.p95 ?? 0) - (a.p95 ?? 0));
  const maxCount = routes[0]?.count ?? 1;
  const volume: Column<Route> = {
    title: 'Requests',
    kind: 'number',
    cell: (route) => (
      <>
        <span class="bar" aria-hidden="true">
          <span style={{ width: `${(route.count / maxCount) * 100}%` }} />
        </span>
        <span class="counted">{count(route.count)}</span>
      </>
    ),
  };
  return (
    <>
      <section class="panel busiest">
        <h2 class="panel-head">Busiest routes</h2>
        <Table
          caption="Busiest routes"
          rows={routes.slice(0, maxRows)}
          keyOf={idOf}
          columns={[name, volume, errors, p95]}
        />
      </section>
      <section class="panel slowest">
        <h2 class="panel-head">Slowest routes</h2>
        <Table caption="Slowest routes" rows={slowest.slice(0, maxRows)} keyOf={idOf} columns={[name, p50, p95, p99]} />
      </section>
    </>
  );
}

const idOf = ({ method, route }: Route) => `${method} ${route}`;

const name: Column<Route> = {
  title: 'Route',
  kind: 'wide',
  cell: ({ method, route }) => (
    <Link title={`Only ${method} ${routeTitle(route)}`} href={hrefWith({ method, route: routeParam(route) })}>
      <span class="method">{method}</span> {routeTitle(route)}
    </Link>
  ),
};

const errors: Column<Route> = {
  title: '5xx',
  kind: 'number minor',
  cell: (route) => <span class={route.errors > 0 ? 'bad' : 'soft'}>{share(route.errors, route.count)}</span>,
};

const p50: Column<Route> = { title: 'p50', kind: 'number minor', cell: (route) => percentile(route.p50) };
const p95: Column<Route> = { title: 'p95', kind: 'number', cell: (route) => percentile(route.p95) };
const p99: Column<Route> = { title: 'p99', kind: 'number', cell: (route) => percentile(route.p99) };
