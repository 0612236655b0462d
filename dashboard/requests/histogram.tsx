import { useMemo } from 'preact/hooks';
import type { Stats } from '../../routes/request-stats.js';
import { get } from '../api.js';
import { type StatusClass, seriesOf, statusClasses } from '../overview/series.js';
import { Chart } from '../parts/chart.js';
import { rateFormat } from '../parts/numbers.js';
import { Part } from '../parts/part.js';
import { useQuery } from '../query-cache.js';
import { routeOf } from '../route.js';
import { serverNow } from '../server-clock.js';
import { queryOfRange, refreshMsOf, type TimeRange } from '../time/range.js';
import { hrefWith, urlState } from '../url-state.js';
import type { ListQuery } from './filter.js';

/** The filters that the API of statistics accepts. */
const known = ['method', 'route', 'statusCode'];
const height = 96;

/** The requests over time, above the list: of the last hour when the list has no range. */
export function Histogram({ query: { filter, range, excludeManagement } }: { query: ListQuery }) {
  const isKnown = Object.keys(filter).every((name) => known.includes(name));
  if (!isKnown) return null;
  const { method, route, statusCode } = filter;
  const stats = { method, route: routeOf(route), statusCode, excludeManagement: excludeManagement || undefined };
  return (
    <Bars title={range ? 'Requests' : 'Requests in the last hour'} stats={stats} range={range ?? { preset: '1h' }} />
  );
}

interface BarsProps {
  title: string;
  /** The query of the statistics, besides the range. */
  stats: Record<string, string | boolean | undefined>;
  range: TimeRange;
}

function Bars({ title, stats, range }: BarsProps) {
  const loaded = useQuery(['stats', 'histogram', range, stats], load, refreshMsOf(range), { canPause: true });

  async function load(signal: AbortSignal) {
    const now = serverNow();
    const query = { ...stats, ...queryOfRange(range, now), exact: true };
    return seriesOf(await get<Stats>('/v1/request-logs/stats', query, signal), now);
  }

  const series = loaded.data;
  const lines = useMemo(
    () =>
      Object.entries(statusClasses).map(([name, colour]) => ({
        name,
        colour,
        values: series?.rateByClass[name as StatusClass] ?? [],
        href: hrefWith({ statusCode: name }),
      })),
    [series, urlState.value],
  );
  return (
    <div class="histogram">
      <Part of={loaded} name="the histogram">
        {({ moments, interval, from, to, rate }) => (
          <Chart
            title={title}
            height={height}
            moments={moments}
            interval={interval}
            from={from}
            to={to}
            lines={lines}
            isStacked
            format={rateFormat(Math.max(...rate))}
            minAxisMax={0.001}
            hrefOf={(times) => hrefWith({ range: undefined, ...times })}
          />
        )}
      </Part>
    </div>
  );
}
