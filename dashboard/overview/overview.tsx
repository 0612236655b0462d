import { useRef } from 'preact/hooks';
import type { Stats } from '../../routes/request-stats.js';
import { get, type Query, type Wire } from '../api.js';
import { ManagementSwitch } from '../management-switch.js';
import { Chips } from '../parts/chips.js';
import { GroupPanel } from '../parts/groups.js';
import { RequestsLink } from '../parts/links.js';
import { Part } from '../parts/part.js';
import { momentOf } from '../parts/time.js';
import { useQuery } from '../query-cache.js';
import { serverNow } from '../server-clock.js';
import { comparedShiftMs, presets, queryOfRange, rangeIn, refreshMsOf, type TimeRange } from '../time/range.js';
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
/** How charts and figures call the compared period. */
const earlierNames: Record<Comparison, string | undefined> = { before: 'before', day: 'day before', none: undefined };
const minuteMs = 60_000;

/** The overview: requests, errors and durations of a range, optionally filtered by route, method and status. */
export function OverviewView() {
  const state = urlState.value;
  const range = rangeIn(state) ?? { preset: '1h' };
  const { route, method, statusCode, compare } = state.params;
  const comparison = compare !== undefined && compare in comparisons ? (compare as Comparison) : 'before';
  const filter = filterOf(state);
  const loaded = useQuery(['stats', range, filter], load, refreshMsOf(range), { canPause: true });
  const { from, to } = loaded.data?.stats ?? {};
  const compared = useQuery(['stats', 'earlier', comparison, filter, from, to], loadEarlier, null, { canPause: true });
  // While the period moves by a minute, its last figures stay.
  const kept = useRef<{ of: string; earlier: typeof compared.data }>({ of: '', earlier: null });
  const comparedOf = JSON.stringify([comparison, filter, range]);
  if (compared.data !== undefined || kept.current.of !== comparedOf)
    kept.current = { of: comparedOf, earlier: compared.data };
  const earlier = kept.current.earlier ?? undefined;
  const earlierName = earlierNames[comparison];
  /** The URL parameters that open the log with the same requests. */
  const choice: Choice = { ...('preset' in range && { range: range.preset }), route, method, statusCode };

  async function load(signal: AbortSignal) {
    const requestedAt = serverNow();
    const stats = await read(queryOfRange(range, requestedAt), signal);
    return { stats, series: seriesOf(stats, requestedAt), requestedAt };
  }

  /** The ends of the statistics are whole minutes, so this is loaded at most once a minute. */
  async function loadEarlier(signal: AbortSignal) {
    if (comparison === 'none' || !from || !to) return null;
    const ends = { from: Date.parse(from), to: Date.parse(to) };
    const shiftMs = comparedShiftMs(ends, comparison);
    // The current minute is compared with a whole one, so it counts only from its middle.
    const end = Math.round(Math.min(ends.to, serverNow()) / minuteMs) * minuteMs;
    const [earlierFrom, earlierTo] = [ends.from, end].map((time) => new Date(time - shiftMs).toISOString());
    const stats = await read({ from: earlierFrom, to: earlierTo }, signal);
    return { total: stats.total, series: seriesOf(stats, serverNow()), shiftSeconds: shiftMs / 1_000 };
  }

  function read(times: Query, signal: AbortSignal) {
    return get<Stats>('/v1/request-logs/stats', { ...times, ...filter, exact: true }, signal);
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
      <Part of={loaded} name="statistics">
        {({ stats, series }) =>
          stats.total.count === 0 ? (
            <div class="overview-grid">
              <p class="nothing">{`No requests ${wordsOf(range)}${chipsOf(state).length > 0 ? ' match the filter' : ''}.`}</p>
              <Charts series={series} earlierName={earlierName} earlier={earlier} choice={choice} />
            </div>
          ) : (
            <div class="overview-grid">
              <Figures
                stats={stats}
                series={series}
                earlierName={earlierName}
                earlier={earlier}
                words={wordsOf(range, stats)}
              />
              <Charts series={series} earlierName={earlierName} earlier={earlier} choice={choice} />
              <GroupPanel by="error" title="Errors" range={range} filter={filter} choice={choice} />
              <RouteLists routes={stats.routes} />
              <StatusMix statuses={stats.statuses} current={filter.statusCode} />
              <KeyList keys={stats.keys} total={stats.total.count} range={range} filter={filter} choice={choice} />
              <LimitedKeys range={range} />
              <GroupPanel by="ip" title="Top addresses" range={range} filter={filter} choice={choice} />
              <GroupPanel by="userAgent" title="Top user agents" range={range} filter={filter} choice={choice} />
            </div>
          )
        }
      </Part>
    </>
  );
}

/**
 * Such as “in the last hour”.
 *
 * @param stats of times before the retention of rows are by the hour, and can begin earlier and end later than the range
 */
function wordsOf(range: TimeRange, stats?: Wire<Stats>): string {
  if ('preset' in range) return `in the last ${presets[range.preset].words}`;
  const requested = range.from ? Date.parse(range.from) : undefined;
  if (!stats || !requested || requested - Date.parse(stats.from) < minuteMs) return 'in this range';
  return `${momentOf(new Date(stats.from))} – ${momentOf(new Date(stats.to))}, by the hour`;
}
