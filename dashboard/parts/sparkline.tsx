const width = 96;
const height = 20;

/** A line without axes, from zero to the maximum, with gaps for missing values. @param label the description for screen readers */
export function Sparkline({ values, label }: { values: (number | null)[]; label: string }) {
  const highest = Math.max(...values.map((value) => value ?? 0), 1);
  const step = width / Math.max(values.length - 1, 1);
  const line = values.map((value, i) => {
    if (value === null) return '';
    const isFirst = (values[i - 1] ?? null) === null;
    return `${isFirst ? 'M' : 'L'}${(i * step).toFixed(1)},${(height - 1 - (value / highest) * (height - 2)).toFixed(1)}`;
  });
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <path d={line.join('')} />
    </svg>
  );
}
