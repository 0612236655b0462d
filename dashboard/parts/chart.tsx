import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { serverNow } from '../server-clock.js';
import { isUtc } from '../time/zone.js';
import { choose, open } from '../url-state.js';
import { axesOf, colour } from './chart-style.js';
import { Link } from './links.js';
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
  /** A thin line for comparison, such as the period before. */
  isThin?: boolean;
  /** The requests behind the line. */
  href?: string;
}

interface ChartProps {
  title: string;
  /** The starts of the intervals, in seconds since 1970. */
  moments: number[];
  /** The length of the intervals in seconds, and the ends of the range: the first and the last interval can be incomplete. */
  interval: number;
  from: number;
  to: number;
  lines: Line[];
  /** Draws the lines as bars on top of each other, the first line lowest. Thin lines stay lines. */
  isStacked?: boolean;
  /** A logarithmic axis, for values above 0. */
  isLogarithmic?: boolean;
  format: (value: number) => string;
  /** The format of the axis, if different. */
  axisFormat?: (value: number) => string;
  /** The lowest maximum of the axis. */
  minAxisMax: number;
  /** Pixels. */
  height?: number;
  /** The URL of the requests in a range, which a click on an interval opens. */
  hrefOf?: (range: { from: string; to: string }) => string;
}

const defaultHeight = 168;
const minDragPx = 8;
/** How long a click waits, because it may become a double-click. */
const doubleClickMs = 250;
/** Connects the cursors of all charts. */
const sync = uPlot.sync('time');

const isoOf = (seconds: number) => new Date(seconds * 1000).toISOString();

/**
 * A chart over time. Its legend shows the values at the cursor, or the newest ones. Dragging zooms, a double-click goes back, and a
 * click opens the requests of an interval.
 */
export function Chart(props: ChartProps) {
  const { title, moments, lines, isStacked = false, height = defaultHeight, format } = props;
  const [hovered, setHovered] = useState<number | null>(null);
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const structure = JSON.stringify([lines.map(({ name, isThin }) => [name, isThin]), isUtc.value]);

  useEffect(() => {
    const element = container.current as HTMLDivElement;
    let isTouched = false;
    // After a tap, the browser reports that the pointer has left.
    const hover = (index: number | null) => {
      if (index !== null || !isTouched) setHovered(index);
    };
    const chart = new uPlot(optionsFor(latest, element.clientWidth, hover), dataOf(latest.current), element);
    plot.current = chart;
    chart.over.addEventListener('pointerdown', ({ pointerType }) => {
      isTouched = pointerType === 'touch';
    });
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
  useEffect(() => plot.current?.setData(dataOf(latest.current)), [moments, lines]);

  const shown = hovered !== null && hovered < moments.length ? hovered : moments.length - 1;
  const moment = moments[shown];
  return (
    <figure class="chart panel">
      <figcaption>
        <h2>{title}</h2>
        <span class="soft">
          {moment !== undefined && momentOf(new Date(moment * 1000))}
          {isIncomplete(props, shown) && ', incomplete'}
        </span>
        <dl>
          {lines.map(({ name, values, colour: swatch, dash, isThin, href }) => (
            <div key={name}>
              <dt>
                <svg width="12" height="8" aria-hidden="true">
                  <line
                    x1="0"
                    x2="12"
                    y1="4"
                    y2="4"
                    class={swatch.slice(2)}
                    stroke-width={isStacked && !isThin ? 8 : 2}
                    stroke-dasharray={dash?.join(' ')}
                  />
                </svg>
                {href ? <Link href={href}>{name}</Link> : name}
              </dt>
              <dd>{textOf(values[shown], format)}</dd>
            </div>
          ))}
        </dl>
      </figcaption>
      <div ref={container} class="plot" style={{ height: `${height}px` }} role="img" aria-label={summaryOf(props)} />
    </figure>
  );
}

function optionsFor(
  latest: { current: ChartProps },
  width: number,
  setHovered: (index: number | null) => void,
): uPlot.Options {
  const {
    lines,
    isStacked,
    isLogarithmic,
    minAxisMax,
    height = defaultHeight,
    format,
    axisFormat = format,
  } = latest.current;
  const drawn = drawOrder(latest.current);
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    tzDate: (seconds) => (isUtc.value ? uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC') : new Date(seconds * 1000)),
    cursor: {
      sync: { key: sync.key },
      drag: { x: true, y: false, setScale: false, dist: minDragPx },
      y: false,
      points: { size: 6, show: !isStacked },
      dataIdx: (chart, _series, _closest, x) => indexAt(latest.current, x) ?? chart.cursor.idx ?? 0,
      bind: { dblclick: () => () => null },
    },
    scales: {
      x: {
        range: () => [latest.current.moments[0] ?? 0, (latest.current.moments.at(-1) ?? 0) + latest.current.interval],
      },
      y: isLogarithmic
        ? { distr: 3, range: (_chart, low, high) => logRange(low, high) }
        : { range: (_chart, _low, high) => [0, Math.max((high ?? 0) * 1.08, minAxisMax)] },
    },
    axes: axesOf(axisFormat, isLogarithmic),
    series: [
      {},
      ...drawn.map((index) => {
        const { colour: name, fill, dash, isThin } = lines[index] as Line;
        const isBar = isStacked && !isThin;
        return {
          stroke: () => colour(name),
          width: isBar ? 0 : isThin ? 1 : 1.5,
          points: {
            show: false,
            size: 5,
            filter: (chart: uPlot, series: number) => isolatedPointsOf(chart.data[series] ?? []),
          },
          ...(isBar && { paths: bars, fill: () => colour(name) }),
          ...(fill && !isBar && { fill: () => colour(fill) }),
          ...(dash && { dash }),
        };
      }),
    ],
    hooks: {
      setCursor: [(chart) => setHovered(hoveredIndex(chart, latest.current))],
      drawClear: [(chart) => shadeIncomplete(chart, latest.current)],
      setSelect: [(chart) => zoom(chart, latest.current, isPressed(chart))],
      ready: [(chart) => listenToClicks(chart, latest)],
    },
  };
}

const bars = uPlot.paths.bars?.({ size: [0.9, 40], align: 1 }) as uPlot.Series.PathBuilder;

/** The indexes of the lines in the order of drawing: of stacked ones the highest first, so that lower ones cover it. */
function drawOrder({ lines, isStacked }: ChartProps): number[] {
  const indexes = lines.map((_, index) => index);
  if (!isStacked) return indexes;
  const isThin = (index: number) => lines[index]?.isThin === true;
  return [...indexes.filter((index) => !isThin(index)).reverse(), ...indexes.filter(isThin)];
}

function dataOf(props: ChartProps): uPlot.AlignedData {
  const { moments, lines, isStacked } = props;
  const values = lines.map((line) => line.values);
  if (isStacked) {
    for (let index = 1; index < lines.length; index++) {
      if (lines[index]?.isThin) continue;
      values[index] = moments.map((_, i) => (values[index - 1]?.[i] ?? 0) + (lines[index]?.values[i] ?? 0));
    }
  }
  return [moments, ...drawOrder(props).map((index) => values[index] ?? [])];
}

/** Whole powers of ten around the values. */
function logRange(low: number | null, high: number | null): [number, number] {
  const lowest = Math.max(low ?? 1, 0.01);
  const highest = Math.max(high ?? 10, lowest);
  return [10 ** Math.floor(Math.log10(lowest)), 10 ** Math.ceil(Math.log10(highest * 1.01))];
}

/** Whether an interval is cut by the ends of the range. */
function isIncomplete({ moments, interval, from, to }: ChartProps, index: number): boolean {
  const start = moments[index];
  return start !== undefined && (start < from || start + interval > to + 1);
}

/** Marks the intervals that are cut by the ends of the range. */
function shadeIncomplete(chart: uPlot, props: ChartProps) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.fillStyle = colour('--sunken');
  for (const index of [0, props.moments.length - 1]) {
    const start = props.moments[index];
    if (start === undefined || !isIncomplete(props, index)) continue;
    const left = Math.max(chart.valToPos(start, 'x', true), bbox.left);
    const right = Math.min(chart.valToPos(start + props.interval, 'x', true), bbox.left + bbox.width);
    ctx.fillRect(left, bbox.top, Math.max(right - left, 2), bbox.height);
  }
  ctx.restore();
}

/** Shows the range that was selected by dragging. */
function zoom(chart: uPlot, { interval }: ChartProps, isOwn: boolean) {
  const { left, width } = chart.select;
  const before = window.location.search;
  if (width < minDragPx) return;
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  // uPlot reports the selection to all synced charts; only the dragged one zooms.
  if (!isOwn) return;
  const [first, last] = [left, left + width].map((x) => chart.posToVal(x, 'x')) as [number, number];
  const step = Math.min(interval, 60);
  const present = serverNow() / 1_000;
  const from = Math.min(Math.floor(first / step), Math.floor(present / step) - 1) * step;
  const to = Math.max(Math.ceil(last / step) * step, from + 60);
  choose({ range: undefined, from: isoOf(from), to: to < present ? isoOf(to) : undefined });
  if (window.location.search !== before) window.history.replaceState({ isZoom: true }, '');
}

/** The chart on which the pointer was pressed last. */
let pressedChart: uPlot | undefined;
const isPressed = (chart: uPlot) => chart === pressedChart;

/** A click opens the requests of the interval, a double-click undoes a zoom. */
function listenToClicks(chart: uPlot, latest: { current: ChartProps }) {
  let pressedAt = 0;
  let timer: number | undefined;
  chart.over.addEventListener('mousedown', ({ clientX }) => {
    pressedAt = clientX;
    pressedChart = chart;
  });
  chart.over.addEventListener('click', (event) => {
    window.clearTimeout(timer);
    const wasDragged = Math.abs(event.clientX - pressedAt) >= minDragPx;
    // On a touch screen, a tap shows the values.
    if (wasDragged || (event as PointerEvent).pointerType === 'touch') return;
    const href = hrefOfInterval(latest.current, hoveredIndex(chart, latest.current));
    timer = window.setTimeout(() => href && chart.over.isConnected && open(href), doubleClickMs);
  });
  chart.over.addEventListener('dblclick', () => {
    window.clearTimeout(timer);
    if ((window.history.state as { isZoom?: boolean } | null)?.isZoom) window.history.back();
  });
}

/** The interval at the cursor; uPlot's own index is the nearest start. */
function hoveredIndex(chart: uPlot, props: ChartProps): number | null {
  const { left = -1 } = chart.cursor;
  return left < 0 ? null : indexAt(props, chart.posToVal(left, 'x'));
}

function indexAt({ moments, interval }: ChartProps, seconds: number): number | null {
  const index = Math.floor((seconds - (moments[0] ?? 0)) / interval);
  return index >= 0 && index < moments.length ? index : null;
}

function hrefOfInterval({ moments, interval, from, to, hrefOf }: ChartProps, index: number | null) {
  const start = index === null ? undefined : moments[index];
  if (!hrefOf || start === undefined) return undefined;
  return hrefOf({ from: isoOf(Math.max(start, from)), to: isoOf(Math.min(start + interval, to)) });
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
