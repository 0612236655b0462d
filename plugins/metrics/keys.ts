import type { FastifyInstance } from 'fastify';
import { registerCounter, registerCounters, registerGauge } from './register.js';

export function measureKeys({ metrics, apiKeys, quotaThresholds }: FastifyInstance) {
  const { cache } = apiKeys;
  registerCounters(
    metrics,
    { name: 'musicez_key_verifications_total', help: 'Checks of API keys, by outcome', label: 'outcome' },
    () =>
      Object.fromEntries(Object.entries(apiKeys.outcomes).map(([outcome, count]) => [outcome.toLowerCase(), count])),
  );
  registerCounters(
    metrics,
    {
      name: 'musicez_quota_thresholds_total',
      help: 'Quotas of which 80 or 100 % were used, each counted by one replica',
      label: 'percent',
    },
    () => ({ ...quotaThresholds }),
  );
  registerCounter(
    metrics,
    { name: 'musicez_key_cache_hits_total', help: 'Cache hits of API keys' },
    () => cache.counts.hits,
  );
  registerCounter(
    metrics,
    { name: 'musicez_key_cache_lookups_total', help: 'Cache misses of API keys' },
    () => cache.counts.lookups,
  );
  registerGauge(metrics, { name: 'musicez_key_cache_entries', help: 'API keys in the cache' }, () => cache.entries);
  registerGauge(
    metrics,
    { name: 'musicez_key_listener_hears', help: 'Whether change notifications of keys arrive: 1 or 0' },
    () => Number(cache.receivesChanges),
  );
  registerGauge(
    metrics,
    {
      name: 'musicez_key_listener_age_seconds',
      help: 'Time since the last heartbeat of the change listener arrived; +Inf before the first',
    },
    () => (performance.now() - cache.changesReceivedUntil) / 1000,
  );
}
