import { useMemo } from 'preact/hooks';
import { Chart } from '../parts/chart.js';
import { decimal, duration, percentLabel, share } from '../parts/numbers.js';
import type { Series } from './series.js';

const perSecond = (n: number) => `${decimal(n)}/s`;
const percent = (n: number) => share(n, 1);

export function Charts({ series }: { series: Series }) {
  const { moments } = series;
  const lines = useMemo(
    () => ({
      rate: [{ name: 'all', values: series.rate, colour: '--accent', fill: '--accent-soft' }],
      errors: [{ name: '5xx', values: series.errorShare, colour: '--bad', fill: '--bad-soft' }],
      latency: [
        { name: 'p50', values: series.p50, colour: '--accent' },
        { name: 'p95', values: series.p95, colour: '--accent', dash: [5, 3] },
        { name: 'p99', values: series.p99, colour: '--line-strong', dash: [2, 3] },
      ],
    }),
    [series],
  );
  return (
    <div class="charts">
      <Chart title="Requests a second" moments={moments} lines={lines.rate} format={perSecond} minAxisMax={1} />
      <Chart
        title="Error share"
        moments={moments}
        lines={lines.errors}
        format={percent}
        axisFormat={percentLabel}
        minAxisMax={0.01}
      />
      <Chart title="Latency" moments={moments} lines={lines.latency} format={duration} minAxisMax={1} />
    </div>
  );
}
