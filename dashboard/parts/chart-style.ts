import type uPlot from 'uplot';
import { dayOf, minuteOf } from '../time/zone.js';

const daySeconds = 86_400;
/** Powers of ten that have a label on a logarithmic axis. */
const isPowerOfTen = (value: number) => Number.isInteger(Math.round(Math.log10(value) * 1e6) / 1e6);

/** A color of the style sheet, which depends on the color scheme. */
export const colour = (customProperty: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(customProperty);

/** The style of the axes. */
export function axesOf(format: (value: number) => string, isLogarithmic = false): uPlot.Axis[] {
  const common = {
    stroke: () => colour('--ink-soft'),
    font: '11px system-ui, sans-serif',
    ticks: { show: false },
  };
  const grid = { stroke: () => colour('--line'), width: 1 };
  return [
    {
      ...common,
      grid: { show: false },
      size: 20,
      gap: 4,
      space: 64,
      values: (_chart, splits, _i, _space, step) => splits.map((at) => labelOf(at, step)),
    },
    {
      ...common,
      grid: isLogarithmic
        ? { ...grid, filter: (_chart, splits) => splits.map((at) => (isPowerOfTen(at) ? at : null)) }
        : grid,
      size: 60,
      gap: 6,
      space: isLogarithmic ? 1 : 36,
      values: (_chart, splits) => splits.map((at) => (isLogarithmic && !isPowerOfTen(at) ? null : format(at))),
    },
  ];
}

function labelOf(at: number, step: number): string {
  const moment = new Date(at * 1000);
  const clock = minuteOf(moment);
  return step >= daySeconds || clock === '00:00' ? dayOf(moment) : clock;
}
