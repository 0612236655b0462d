import type uPlot from 'uplot';

const daySeconds = 86_400;
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false });
const date = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });

/** A color of the style sheet, which depends on the color scheme. */
export const colour = (customProperty: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(customProperty);

/** The style of the axes. */
export function axesOf(format: (value: number) => string): uPlot.Axis[] {
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
    { ...common, grid, size: 52, gap: 6, space: 36, values: (_chart, splits) => splits.map(format) },
  ];
}

function labelOf(at: number, step: number): string {
  const moment = new Date(at * 1000);
  const isMidnight = moment.getHours() === 0 && moment.getMinutes() === 0;
  return (step >= daySeconds || isMidnight ? date : clock).format(moment);
}
