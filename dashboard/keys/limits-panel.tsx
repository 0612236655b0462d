import type { KeyLimits } from '../../routes/api-key-fields.js';
import { get, type Wire } from '../api.js';
import { Fact, Facts } from '../parts/facts.js';
import { limitText, quotaText, UsageMeter } from '../parts/limits.js';
import { Part } from '../parts/part.js';
import { Time } from '../parts/time.js';
import { useQuery } from '../query-cache.js';

const refreshMs = 5_000;

type Quota = NonNullable<Wire<KeyLimits>['quota']>;

/** The limits and quotas that apply to a key, and how much of them is used. */
export function LimitsPanel({ keyId }: { keyId: string }) {
  const loaded = useQuery(
    ['keys', 'limits', keyId],
    (signal) => get<KeyLimits>(`/v1/api-keys/${encodeURIComponent(keyId)}/limits`, {}, signal),
    refreshMs,
  );
  return (
    <section class="limits">
      <h3>Limits</h3>
      <Part of={loaded} name="the limits" isEmpty={hasNone} empty="None.">
        {({ rateLimits, quota, ownerQuota }) => (
          <Facts>
            {rateLimits.map(({ name, remaining, ...limit }) => (
              <Fact key={name} name={titleOf(name)}>
                {limitText(limit)}{' '}
                <UsageMeter label={titleOf(name)} used={limit.limit - remaining} limit={limit.limit} />
              </Fact>
            ))}
            {quota && <QuotaFact title="Quota" of={quota} />}
            {ownerQuota && <QuotaFact title="Quota of the owner" of={ownerQuota} />}
          </Facts>
        )}
      </Part>
    </section>
  );
}

export function QuotaFact({ title, of }: { title: string; of: Quota }) {
  return (
    <Fact name={title}>
      {quotaText(of)}{' '}
      <span class="soft">
        resets at <Time at={of.resetsAt} />
      </span>
      <UsageMeter label={title} used={of.used} limit={of.limit} />
    </Fact>
  );
}

function hasNone({ rateLimits, quota, ownerQuota }: Wire<KeyLimits>): boolean {
  return rateLimits.length === 0 && quota === null && ownerQuota === null;
}

/** The limits of the owner have the prefix `owner:`. */
function titleOf(name: string): string {
  return name.startsWith('owner:') ? `${name.slice('owner:'.length)}, of the owner` : name;
}
