import type { Stats } from '../../routes/request-stats.js';
import type { Wire } from '../api.js';
import { count, difference, percentile, rateFormat, share } from '../parts/numbers.js';
import type { Series } from './series.js';

type Total = Wire<Stats>['total'];

interface FiguresProps {
  stats: Wire<Stats>;
  series: Series;
  /** The name of the period to compare with; undefined: none. */
  earlierName: string | undefined;
  /** Its figures; undefined while they are loading. */
  earlier: { total: Total } | undefined;
  /** Such as “in the last hour”. */
  words: string;
}

/** The main figures of the range. */
export function Figures({ stats: { total }, series, earlierName, earlier, words }: FiguresProps) {
  const seconds = Math.max(series.to - series.from, 1);
  const rate = rateFormat(Math.max(...series.rate));
  const classes = total.statusClasses;
  const compared = (of: (total: Total) => number | null) => {
    const [now, before] = [of(total), earlier ? of(earlier.total) : null];
    return now === null || before === null ? undefined : `${difference(now, before)} vs. ${earlierName}`;
  };
  return (
    <dl class="figures">
      <Figure name="Requests" value={count(total.count)} note={words} compared={compared(({ count }) => count)} />
      <Figure
        name="Requests per second"
        value={rate(total.count / seconds)}
        note={`peak ${rate(Math.max(...series.rate))}`}
      />
      <Figure
        name="5xx"
        value={share(total.errors, total.count)}
        note={`${count(total.errors)} requests`}
        compared={compared(({ errors }) => errors)}
        isBad={total.errors > 0}
      />
      <Figure
        name="4xx"
        value={share(classes['4xx'] ?? 0, total.count)}
        note={`${count(classes['4xx'] ?? 0)} requests`}
        compared={compared(({ statusClasses }) => statusClasses['4xx'] ?? 0)}
      />
      <Figure
        name="Median"
        value={percentile(total.p50)}
        note="half are faster"
        compared={compared(({ p50 }) => p50)}
      />
      <Figure name="p95" value={percentile(total.p95)} note="1 in 20 is slower" compared={compared(({ p95 }) => p95)} />
      <Figure
        name="p99"
        value={percentile(total.p99)}
        note="1 in 100 is slower"
        compared={compared(({ p99 }) => p99)}
      />
    </dl>
  );
}

interface FigureProps {
  name: string;
  value: string;
  note: string;
  compared?: string | undefined;
  isBad?: boolean;
}

function Figure({ name, value, note, compared, isBad = false }: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={isBad ? 'value bad' : 'value'}>{value}</dd>
      <dd class="soft">{note}</dd>
      {compared && <dd class="soft">{compared}</dd>}
    </div>
  );
}
