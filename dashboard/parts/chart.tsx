import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { axesOf, colour } from './chart-style.js';
import { momentOf } from './time.js';

export interface Line {
  name: string;
  /** A value for each time; null without one. */
  values: (number | null)[];
  /** The color, as a custom property of the style sheet. */
  colour: string;
  /** The color of the area below the line, as a custom property. */
  fill?: string;
  dash?: number[];
}

interface ChartProps {
  title: string;
  /** Seconds since 1970, at equal intervals. */
  moments: number[];
  lines: Line[];
  format: (value: number) => string;
  /** The format of the axis, if different. */
  axisFormat?: (value: number) => string;
  /** The lowest maximum of the axis. */
  minAxisMax: number;
}

const height = 168;
/** Connects the cursors of all charts. */
const sync = uPlot.sync('time');

/** A line chart over time, starting at zero. Its title shows the values at the cursor, or the newest ones. */
export function Chart({ title, moments, lines, format, axisFormat = format, minAxisMax }: ChartProps) {
  const [hovered, setHovered] = useState<number | null>(null);
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const structure = JSON.stringify(lines.map(({ name }) => name));
  const data = [moments, ...lines.map(({ values }) => values)] as uPlot.AlignedData;

  useEffect(() => {
    const element = container.current as HTMLDivElement;
    const chart = new uPlot(optionsOf(element.clientWidth), data, element);
    plot.current = chart;
    const widths = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    widths.observe(element);
    const theme = window.matchMedia('(prefers-color-scheme: dark)');
    const redraw = () => chart.redraw();
    theme.addEventListener('change', redraw);
    return () => {
      theme.removeEventListener('change', redraw);
      widths.disconnect();
      chart.destroy();
    };
  }, [structure]);
  useEffect(() => plot.current?.setData(data), [moments, lines]);

  function optionsOf(width: number): uPlot.Options {
    return {
      width,
      height,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: sync.key }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
      scales: { y: { range: (_chart, _low, high) => [0, Math.max((high ?? 0) * 1.08, minAxisMax)] } },
      axes: axesOf(axisFormat),
      series: [
        {},
        ...lines.map(({ colour: name, fill, dash }) => ({
          stroke: () => colour(name),
          width: 1.5,
          points: {
            show: false,
            size: 5,
            filter: (chart: uPlot, index: number) => isolatedPointsOf(chart.data[index] ?? []),
          },
          ...(fill && { fill: () => colour(fill) }),
          ...(dash && { dash }),
        })),
      ],
      hooks: { setCursor: [({ cursor }) => setHovered(cursor.idx ?? null)] },
    };
  }

  const shown = hovered !== null && hovered < moments.length ? hovered : moments.length - 1;
  const moment = moments[shown];
  return (
    <figure class="chart panel">
      <figcaption>
        <h2>{title}</h2>
        <span class="soft">{hovered === null || moment === undefined ? '' : momentOf(new Date(moment * 1000))}</span>
        <dl>
          {lines.map(({ name, values, colour: swatch, dash }) => (
            <div key={name}>
              <dt>
                <svg width="12" height="8" aria-hidden="true">
                  <line x1="0" x2="12" y1="4" y2="4" class={swatch.slice(2)} stroke-dasharray={dash?.join(' ')} />
                </svg>
                {name}
              </dt>
              <dd>{textOf(values[shown], format)}</dd>
            </div>
          ))}
        </dl>
      </figcaption>
      <div ref={container} class="plot" role="img" aria-label={summaryOf({ title, lines, format })} />
    </figure>
  );
}

function textOf(value: number | null | undefined, format: ChartProps['format']): string {
  return value === null || value === undefined ? '–' : format(value);
}

/** The description for screen readers. */
function summaryOf({ title, lines, format }: Pick<ChartProps, 'title' | 'lines' | 'format'>): string {
  const parts = lines.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${name}: nothing`;
    return `${name}: now ${textOf(known.at(-1), format)}, at most ${format(Math.max(...known))}`;
  });
  return `${title}. ${parts.join('; ')}.`;
}

/** Points for values without a neighbour to draw a line to, as in the first minute. */
function isolatedPointsOf(values: ArrayLike<number | null | undefined>): number[] {
  const isThere = (index: number) => values[index] !== undefined && values[index] !== null;
  return Array.from(values, (_, index) => index).filter(
    (index) => isThere(index) && !isThere(index - 1) && !isThere(index + 1),
  );
}
