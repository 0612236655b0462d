import { useMemo } from 'preact/hooks';
import type { Usage } from '../../routes/usage.js';
import { get, type Wire } from '../api.js';
import { Chart } from '../parts/chart.js';
import { count } from '../parts/numbers.js';
import { Part } from '../parts/part.js';
import { Table } from '../parts/table.js';
import { useQuery } from '../query-cache.js';
import { serverNow } from '../server-clock.js';
import { endsOf, queryOfRange, refreshMsOf, type TimeRange } from '../time/range.js';

const colours: Record<string, string> = { VALID: '--accent', RATE_LIMITED: '--warn', QUOTA_EXCEEDED: '--warn' };

interface UsagePanelProps {
  of: { apiKeyId: string } | { ownerId: string };
  range: TimeRange;
}

/** The checks of a key or of the keys of an owner, by outcome. */
export function UsagePanel({ of, range }: UsagePanelProps) {
  const loaded = useQuery(
    ['usage', of, range],
    async (signal) => {
      const now = serverNow();
      const query = { ...of, ...queryOfRange(range, now), exact: true };
      return { usage: await get<Usage>('/v1/usage', query, signal), to: endsOf(range, now).to };
    },
    refreshMsOf(range),
    { canPause: true },
  );
  return (
    <section class="usage">
      <Part of={loaded} name="the checks" isEmpty={({ usage: { total } }) => total.count === 0} empty="No checks.">
        {({ usage, to }) => <UsageChart usage={usage} to={to} />}
      </Part>
    </section>
  );
}

function UsageChart({ usage, to }: { usage: Wire<Usage>; to: number }) {
  const outcomes = Object.entries(usage.total.outcomes)
    .map(([outcome, total]) => ({ outcome, total }))
    .sort((a, b) => b.total - a.total);
  const { moments, lines } = useMemo(
    () =>
      linesOf(
        usage,
        outcomes.map(({ outcome }) => outcome),
      ),
    [usage],
  );
  return (
    <>
      <Chart
        title="Checks"
        moments={moments}
        interval={usage.interval}
        from={Date.parse(usage.from) / 1_000}
        to={to / 1_000}
        lines={lines}
        isStacked
        format={count}
        minAxisMax={1}
      />
      <Table
        caption="Checks by outcome"
        rows={outcomes}
        keyOf={({ outcome }) => outcome}
        columns={[
          { title: 'Outcome', kind: 'wide', cell: ({ outcome }) => <code>{outcome}</code> },
          { title: 'Checks', kind: 'number', cell: ({ total }) => count(total) },
        ]}
      />
    </>
  );
}

function linesOf({ from, to, interval, series }: Wire<Usage>, outcomes: string[]) {
  const byStart = new Map(series.map(({ start, outcomes }) => [Date.parse(start), outcomes]));
  const starts: number[] = [];
  const stepMs = interval * 1_000;
  for (let start = Math.floor(Date.parse(from) / stepMs) * stepMs; start < Date.parse(to); start += stepMs)
    starts.push(start);
  return {
    moments: starts.map((start) => start / 1_000),
    lines: outcomes.map((outcome) => ({
      name: outcome,
      values: starts.map((start) => byStart.get(start)?.[outcome] ?? 0),
      colour: colours[outcome] ?? '--bad',
    })),
  };
}
