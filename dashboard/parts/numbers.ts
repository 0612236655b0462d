const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const three = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const two = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 });
const signedPercent = new Intl.NumberFormat('en', { style: 'percent', signDisplay: 'always' });
const percents = [0, 1, 2].map(
  (digits) =>
    new Intl.NumberFormat('en', { style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits }),
);
const bytesUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Exact up to a hundred thousand, abbreviated beyond. */
export const count = (n: number) => (n < 100_000 ? whole : compact).format(n);

export const decimal = (n: number) => (Math.abs(n) < 1000 ? three : compact).format(n);

/** The share of `part` in `whole`, as a percentage. */
export function share(part: number, whole: number): string {
  if (whole === 0) return '–';
  const exact = part / whole;
  if (exact > 0 && exact < 0.0001) return '<0.01%';
  const digits = exact === 0 || exact === 1 ? 0 : exact >= 0.09995 ? 1 : 2;
  return (percents[digits] as Intl.NumberFormat).format(exact);
}

/** For an axis: `0.5%`, `1%`. */
export const percentLabel = (exact: number) => `${three.format(exact * 100)}%`;

/** A duration in milliseconds, with a suitable unit. */
export const duration = (ms: number | null) => durationWith(three, ms);

/** A percentile of durations: the statistics know them with an error of up to 20 %. */
export const percentile = (ms: number | null) => durationWith(two, ms);

function durationWith(format: Intl.NumberFormat, ms: number | null): string {
  if (ms === null) return '–';
  if (ms < 1_000) return `${format.format(ms)} ms`;
  if (ms < 60_000) return `${format.format(ms / 1_000)} s`;
  return `${format.format(ms / 60_000)} min`;
}

/** Rates in a unit that suits the largest of them: per second, minute or hour. */
export function rateFormat(highest: number): (perSecond: number) => string {
  if (highest === 0 || highest >= 1) return (rate) => `${decimal(rate)}/s`;
  if (highest * 60 >= 1) return (rate) => `${decimal(rate * 60)}/min`;
  return (rate) => `${decimal(rate * 3_600)} an hour`;
}

/** The difference to an earlier value, such as “+12%”. */
export function difference(now: number, before: number): string {
  if (before === 0) return now === 0 ? '±0%' : 'none before';
  const change = now / before - 1;
  if (Math.abs(change) < 0.005) return '±0%';
  return change > 9.995 ? `×${decimal(now / before)}` : signedPercent.format(change);
}

export function bytes(n: number): string {
  const unit = Math.min(Math.floor(Math.log2(Math.max(n, 1)) / 10), bytesUnits.length - 1);
  return `${three.format(n / 1024 ** unit)} ${bytesUnits[unit]}`;
}
