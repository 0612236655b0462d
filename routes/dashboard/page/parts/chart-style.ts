import type uPlot from 'uplot';

const day = 86_400;
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false });
const date = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });

/** A colour as the style sheet has it now; it has another one in the dark. */
export const colour = (customProperty: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(customProperty);

/** Time below, values at the left, and lines no stronger than needed. */
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
  return (step >= day || isMidnight ? date : clock).format(moment);
}
