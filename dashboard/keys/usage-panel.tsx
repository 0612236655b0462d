import { useMemo } from 'preact/hooks';
import type { Usage } from '../../routes/usage.js';
import { get, type Wire } from '../api.js';
import { Chart } from '../parts/chart.js';
import { count } from '../parts/numbers.js';
import { Part } from '../parts/part.js';
import { Table } from '../parts/table.js';
import { useQuery } from '../query-cache.js';
import { serverNow } from '../server-clock.js';

const days = 30;
const dayMs = 86_400_000;
const refreshMs = 60_000;

const colours: Record<string, string> = { VALID: '--accent', RATE_LIMITED: '--warn', QUOTA_EXCEEDED: '--warn' };

/** The checks of a key or of the keys of an owner, in the last 30 days, by outcome. */
export function UsagePanel({ of }: { of: { apiKeyId: string } | { ownerId: string } }) {
  const loaded = useQuery(
    ['usage', of],
    (signal) => {
      const from = new Date(serverNow() - (days - 1) * dayMs).toISOString();
      return get<Usage>('/v1/usage', { ...of, from, interval: dayMs / 1_000 }, signal);
    },
    refreshMs,
  );
  return (
    <section class="usage">
      <h3>Checks in the last {days} days</h3>
      <Part of={loaded} name="the usage" isEmpty={({ total }) => total.count === 0} empty="None.">
        {(usage) => <UsageChart usage={usage} />}
      </Part>
    </section>
  );
}

function UsageChart({ usage }: { usage: Wire<Usage> }) {
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
        title="Checks per day"
        moments={moments}
        interval={usage.interval}
        from={Date.parse(usage.from) / 1_000}
        to={Math.min(Date.parse(usage.to), serverNow()) / 1_000}
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
  for (let start = Date.parse(from); start < Date.parse(to); start += interval * 1_000) starts.push(start);
  return {
    moments: starts.map((start) => start / 1_000),
    lines: outcomes.map((outcome) => ({
      name: outcome,
      values: starts.map((start) => byStart.get(start)?.[outcome] ?? 0),
      colour: colours[outcome] ?? '--bad',
    })),
  };
}
