import { useMemo } from 'preact/hooks';
import { Chart, type Line } from '../parts/chart.js';
import { percentile, percentLabel, rateFormat, share } from '../parts/numbers.js';
import { type Choice, hrefOf, urlState } from '../url-state.js';
import { alignedTo, type Series, type StatusClass, statusClasses } from './series.js';

const percent = (n: number) => share(n, 1);
const before = { colour: '--ink-soft', dash: [2, 2], isThin: true };

interface ChartsProps {
  series: Series;
  /** The name of the period to compare with; undefined: none. */
  earlierName: string | undefined;
  /** Its series; undefined while it is loading. */
  earlier: { series: Series; shiftSeconds: number } | undefined;
  /** The URL parameters that open the log with the same requests. */
  choice: Choice;
}

export function Charts({ series, earlierName, earlier, choice }: ChartsProps) {
  const { moments, interval, from, to } = series;
  const hrefFor = (rest: Choice) => hrefOf('requests', { ...choice, ...rest });
  const lines = useMemo(
    () => linesOf(series, earlierName, earlier, hrefFor),
    [series, earlierName, earlier, urlState.value],
  );
  const time = { moments, interval, from, to };
  const ofInterval = (more: Choice) => (range: { from: string; to: string }) =>
    hrefFor({ range: undefined, ...range, ...more });
  return (
    <div class="charts">
      <Chart
        title="Requests"
        {...time}
        lines={lines.rate}
        isStacked
        format={rateFormat(Math.max(...series.rate))}
        minAxisMax={0.001}
        hrefOf={ofInterval({})}
      />
      <Chart
        title="Error share"
        {...time}
        lines={lines.errors}
        format={percent}
        axisFormat={percentLabel}
        minAxisMax={0.01}
        hrefOf={ofInterval({ statusCode: choice.statusCode ?? '>=400' })}
      />
      <Chart
        title="Duration"
        {...time}
        moments={series.durations.moments}
        interval={series.durations.interval}
        lines={lines.duration}
        isLogarithmic
        format={percentile}
        minAxisMax={1}
        hrefOf={ofInterval({ sort: 'slowest' })}
      />
    </div>
  );
}

function linesOf(
  series: Series,
  earlierName: string | undefined,
  earlier: ChartsProps['earlier'],
  hrefFor: (rest: Choice) => string,
) {
  const compared = (
    moments: number[],
    name: string,
    of: (series: Series) => { moments: number[]; interval: number; values: (number | null)[] },
  ): Line[] => {
    if (earlierName === undefined) return [];
    // The line is there before its values, because a chart with another line is drawn anew and forgets the pointer.
    const values = earlier ? alignedTo(moments, of(earlier.series), earlier.shiftSeconds) : moments.map(() => null);
    return [{ ...before, name: name + earlierName, values }];
  };
  const classes = Object.entries(statusClasses).map(
    ([name, colour]): Line => ({
      name,
      colour,
      values: series.rateByClass[name as StatusClass],
      href: hrefFor({ statusCode: name }),
    }),
  );
  return {
    rate: [...classes, ...compared(series.moments, '', ({ rate, ...time }) => ({ ...time, values: rate }))],
    errors: [
      { name: '4xx', values: series.share4xx, colour: '--warn', href: hrefFor({ statusCode: '4xx' }) },
      {
        name: '5xx',
        values: series.share5xx,
        colour: '--bad',
        fill: '--bad-soft',
        href: hrefFor({ statusCode: '5xx' }),
      },
      ...compared(series.moments, '5xx, ', ({ share5xx, ...time }) => ({ ...time, values: share5xx })),
    ],
    duration: [
      { name: 'p50', values: series.durations.p50, colour: '--accent' },
      { name: 'p95', values: series.durations.p95, colour: '--accent', dash: [5, 3] },
      { name: 'p99', values: series.durations.p99, colour: '--line-strong', dash: [2, 3] },
      ...compared(series.durations.moments, 'p95, ', ({ durations }) => ({ ...durations, values: durations.p95 })),
    ],
  };
}
