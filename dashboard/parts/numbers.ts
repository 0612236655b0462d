const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const three = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
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
export function duration(ms: number | null): string {
  if (ms === null) return '–';
  if (ms < 1_000) return `${three.format(ms)} ms`;
  if (ms < 60_000) return `${three.format(ms / 1_000)} s`;
  return `${three.format(ms / 60_000)} min`;
}

export function bytes(n: number): string {
  const unit = Math.min(Math.floor(Math.log2(Math.max(n, 1)) / 10), bytesUnits.length - 1);
  return `${three.format(n / 1024 ** unit)} ${bytesUnits[unit]}`;
}
