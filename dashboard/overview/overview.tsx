import type { Stats } from '../../routes/request-stats.js';
import { get } from '../api.js';
import { Chips } from '../parts/chips.js';
import { Part } from '../parts/part.js';
import { momentOf } from '../parts/time.js';
import { usePolled } from '../polled.js';
import { choose, goTo, useUrlState } from '../url-state.js';
import { Charts } from './charts.js';
import { Figures } from './figures.js';
import { chipsOf, filterOf } from './filter.js';
import { KeyList } from './key-list.js';
import { LimitedKeys } from './limited-keys.js';
import { NewestKeys } from './newest-keys.js';
import { type RangeName, rangeOf, ranges } from './range.js';
import { RouteLists } from './route-lists.js';
import { seriesOf } from './series.js';
import { StatusMix } from './status-mix.js';

/** The overview: request rate, errors and durations, optionally filtered by route, method and status. */
export function OverviewView() {
  const urlState = useUrlState();
  const rangeName = rangeOf(urlState.params.range);
  const { lengthMs, refreshMs, words } = ranges[rangeName];
  const filter = filterOf(urlState);
  const loaded = usePolled(JSON.stringify([rangeName, filter]), load, refreshMs);

  /** Shows the same requests in the log. */
  function choice() {
    const { route, method, statusCode } = urlState.params;
    return { route, method, statusCode, from: new Date(Date.now() - lengthMs).toISOString() };
  }

  async function load(signal: AbortSignal) {
    const requestedAt = Date.now();
    const range = { from: new Date(requestedAt - lengthMs).toISOString(), to: new Date(requestedAt).toISOString() };
    const stats = await get<Stats>('/v1/request-logs/stats', { ...range, ...filter }, signal);
    return { stats, series: seriesOf(stats, requestedAt), requestedAt };
  }

  return (
    <>
      <div class="toolbar">
        <RangeChoice current={rangeName} />
        <Chips chips={chipsOf(urlState)} />
        <span class="updated soft">{loaded.data && `As of ${momentOf(new Date(loaded.data.requestedAt))}`}</span>
        <button type="button" onClick={() => goTo('requests', choice())}>
          Show these requests
        </button>
      </div>
      <Part
        of={loaded}
        name="statistics"
        isEmpty={({ stats }) => stats.total.count === 0}
        empty={`No requests in the last ${words}${chipsOf(urlState).length > 0 ? ' that match the filter' : ''}.`}
      >
        {({ stats, series }) => (
          <div class="overview-grid">
            <Figures stats={stats} series={series} words={words} />
            <Charts series={series} />
            <RouteLists routes={stats.routes} />
            <StatusMix statuses={stats.statuses} current={filter.statusCode} />
            <section class="panel keys-busy">
              <h2 class="panel-head">Busiest keys</h2>
              {stats.keys ? (
                <KeyList keys={stats.keys} total={stats.total.count} choice={choice} />
              ) : (
                <NewestKeys filter={filter} lengthMs={lengthMs} refreshMs={refreshMs} choice={choice} />
              )}
            </section>
            <LimitedKeys />
          </div>
        )}
      </Part>
    </>
  );
}

function RangeChoice({ current }: { current: RangeName }) {
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">Time</legend>
      {Object.entries(ranges).map(([name, { title }]) => (
        <button key={name} type="button" aria-pressed={name === current} onClick={() => choose({ range: name })}>
          {title}
        </button>
      ))}
    </fieldset>
  );
}
