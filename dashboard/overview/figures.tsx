import type { Stats } from '../../routes/request-stats.js';
import type { Wire } from '../api.js';
import { count, decimal, duration, share } from '../parts/numbers.js';
import type { Series } from './series.js';

/** The main figures of the range. */
export function Figures({ stats: { total }, series, words }: { stats: Wire<Stats>; series: Series; words: string }) {
  const newestRate = series.rate.at(-1) ?? 0;
  return (
    <dl class="figures">
      <Figure name="Requests" value={count(total.count)} note={`in the last ${words}`} />
      <Figure name="Rate" value={`${decimal(newestRate)}/s`} note={`at most ${decimal(Math.max(...series.rate))}/s`} />
      <Figure
        name="Errors"
        value={share(total.errors, total.count)}
        note={`${count(total.errors)} answered with 5xx`}
        isBad={total.errors > 0}
      />
      <Figure name="Median" value={duration(total.p50)} note="half are faster" />
      <Figure name="p95" value={duration(total.p95)} note="1 in 20 is slower" />
      <Figure name="p99" value={duration(total.p99)} note="1 in 100 is slower" />
    </dl>
  );
}

function Figure({ name, value, note, isBad = false }: { name: string; value: string; note: string; isBad?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={isBad ? 'value bad' : 'value'}>{value}</dd>
      <dd class="soft">{note}</dd>
    </div>
  );
}
