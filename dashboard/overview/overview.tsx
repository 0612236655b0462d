import type { Stats } from '../../routes/request-stats.js';
import { get } from '../api.js';
import { ManagementSwitch } from '../management-switch.js';
import { Chips } from '../parts/chips.js';
import { GroupPanel } from '../parts/groups.js';
import { RequestsLink } from '../parts/links.js';
import { Part } from '../parts/part.js';
import { momentOf } from '../parts/time.js';
import { useQuery } from '../query-cache.js';
import { serverNow } from '../server-clock.js';
import { endsOf, presets, queryOfRange, rangeBefore, rangeIn, refreshMsOf, type TimeRange } from '../time/range.js';
import { TimeControl } from '../time/time-control.js';
import { type Choice, choose, urlState } from '../url-state.js';
import { Charts } from './charts.js';
import { Figures } from './figures.js';
import { chipsOf, filterOf } from './filter.js';
import { KeyList } from './key-list.js';
import { LimitedKeys } from './limited-keys.js';
import { RouteLists } from './route-lists.js';
import { seriesOf } from './series.js';
import { StatusMix } from './status-mix.js';

/** The comparisons by their names in the URL; the first one is the default. */
const comparisons = { before: 'the period before', day: 'the day before', none: 'nothing' } as const;
type Comparison = keyof typeof comparisons;
const comparisonRefreshMs = 5 * 60_000;

/** The overview: requests, errors and durations of a range, optionally filtered by route, method and status. */
export function OverviewView() {
  const state = urlState.value;
  const range = rangeIn(state) ?? { preset: '1h' };
  const { route, method, statusCode, compare } = state.params;
  const comparison = compare !== undefined && compare in comparisons ? (compare as Comparison) : 'before';
  const filter = filterOf(state);
  const loaded = useQuery(['stats', range, filter], load, refreshMsOf(range));
  const earlier = useQuery(['stats', 'earlier', comparison, range, filter], loadEarlier, comparisonRefreshMs);
  /** The parameters of the log for the same requests. */
  const choice: Choice = { ...('preset' in range && { range: range.preset }), route, method, statusCode };

  async function load(signal: AbortSignal) {
    const requestedAt = serverNow();
    const query = { ...queryOfRange(range, requestedAt), ...filter, exact: true };
    const stats = await get<Stats>('/v1/request-logs/stats', query, signal);
    return { stats, series: seriesOf(stats, endsOf(range, requestedAt).to), requestedAt };
  }

  async function loadEarlier(signal: AbortSignal) {
    if (comparison === 'none') return null;
    const { from, to } = rangeBefore(range, comparison, serverNow());
    const times = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
    const stats = await get<Stats>('/v1/request-logs/stats', { ...times, ...filter, exact: true }, signal);
    return { total: stats.total, series: seriesOf(stats, to), name: comparison === 'day' ? 'day before' : 'before' };
  }

  return (
    <>
      <div class="toolbar">
        <TimeControl range={range} />
        <Chips chips={chipsOf(state)} />
        <label class="compare">
          Compare with{' '}
          <select value={comparison} onChange={({ currentTarget }) => choose({ compare: currentTarget.value })}>
            {Object.entries(comparisons).map(([name, title]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <ManagementSwitch />
        <span class="updated soft">{loaded.data && `As of ${momentOf(new Date(loaded.data.requestedAt))}`}</span>
        <RequestsLink filter={choice}>Show these requests</RequestsLink>
      </div>
      <Part
        of={loaded}
        name="statistics"
        isEmpty={({ stats }) => stats.total.count === 0}
        empty={`No requests ${wordsOf(range)}${chipsOf(state).length > 0 ? ' match the filter' : ''}.`}
      >
        {({ stats, series }) => (
          <div class="overview-grid">
            <Figures stats={stats} series={series} earlier={earlier.data ?? undefined} words={wordsOf(range)} />
            <Charts series={series} earlier={earlier.data ?? undefined} choice={choice} />
            <GroupPanel by="error" title="Errors" range={range} filter={filter} choice={choice} />
            <RouteLists routes={stats.routes} />
            <StatusMix statuses={stats.statuses} current={filter.statusCode} />
            <KeyList keys={stats.keys} total={stats.total.count} range={range} filter={filter} choice={choice} />
            <LimitedKeys range={range} />
            <GroupPanel by="ip" title="Top addresses" range={range} filter={filter} choice={choice} />
            <GroupPanel by="userAgent" title="Top user agents" range={range} filter={filter} choice={choice} />
          </div>
        )}
      </Part>
    </>
  );
}

/** Such as “in the last hour”. */
function wordsOf(range: TimeRange): string {
  return 'preset' in range ? `in the last ${presets[range.preset].words}` : 'in this range';
}
