import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { axesOf, colour } from './chart-style.js';
import { momentOf } from './time.js';

export interface Line {
  name: string;
  /** One for each moment; null where there is none. */
  values: (number | null)[];
  /** A custom property of the style sheet. */
  colour: string;
  /** Whether the area below is tinted, with this custom property. */
  fill?: string;
  dash?: number[];
}

interface ChartProps {
  title: string;
  /** Seconds since 1970, evenly apart. */
  moments: number[];
  lines: Line[];
  format: (value: number) => string;
  /** How the axis says a value, if not like that. */
  mark?: (value: number) => string;
  /** The least that the axis goes up to. */
  atLeast: number;
}

const height = 168;
/** Charts that show the same time show the same moment. */
const sync = uPlot.sync('time');

/** Lines over time, from zero up. Beside the title are the values at the pointer or, without one, the newest. */
export function Chart({ title, moments, lines, format, mark = format, atLeast }: ChartProps) {
  const [pointed, setPointed] = useState<number | null>(null);
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const structure = JSON.stringify(lines.map(({ name }) => name));
  const data = [moments, ...lines.map(({ values }) => values)] as uPlot.AlignedData;

  useEffect(() => {
    const element = place.current as HTMLDivElement;
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
      scales: { y: { range: (_chart, _low, high) => [0, Math.max((high ?? 0) * 1.08, atLeast)] } },
      axes: axesOf(mark),
      series: [
        {},
        ...lines.map(({ colour: name, fill, dash }) => ({
          stroke: () => colour(name),
          width: 1.5,
          points: { show: false, size: 5, filter: (chart: uPlot, index: number) => loneOf(chart.data[index] ?? []) },
          ...(fill && { fill: () => colour(fill) }),
          ...(dash && { dash }),
        })),
      ],
      hooks: { setCursor: [({ cursor }) => setPointed(cursor.idx ?? null)] },
    };
  }

  const shown = pointed !== null && pointed < moments.length ? pointed : moments.length - 1;
  const moment = moments[shown];
  return (
    <figure class="chart panel">
      <figcaption>
        <h2>{title}</h2>
        <span class="soft">{pointed === null || moment === undefined ? '' : momentOf(new Date(moment * 1000))}</span>
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
      <div ref={place} class="plot" role="img" aria-label={summaryOf({ title, lines, format })} />
    </figure>
  );
}

function textOf(value: number | null | undefined, format: ChartProps['format']): string {
  return value === null || value === undefined ? '–' : format(value);
}

/** For who does not see it. */
function summaryOf({ title, lines, format }: Pick<ChartProps, 'title' | 'lines' | 'format'>): string {
  const parts = lines.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${name}: nothing`;
    return `${name}: now ${textOf(known.at(-1), format)}, at most ${format(Math.max(...known))}`;
  });
  return `${title}. ${parts.join('; ')}.`;
}

/** Where a value has no neighbour that a line could go to, as in the first minute: a point shows it. */
function loneOf(values: ArrayLike<number | null | undefined>): number[] {
  const isThere = (index: number) => values[index] !== undefined && values[index] !== null;
  return Array.from(values, (_, index) => index).filter(
    (index) => isThere(index) && !isThere(index - 1) && !isThere(index + 1),
  );
}
