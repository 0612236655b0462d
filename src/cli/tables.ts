import type { ApiKeyEvent, ApiKeyRecord } from '../../plugins/api-keys/key-fields.js';
import type { OwnerLimits } from '../../plugins/api-keys/owner-limits.js';
import { formatLimits } from '../../plugins/limits/limit.js';
import type { QuotaState } from '../../plugins/limits/quota.js';
import type { OwnerUsage, Usage } from '../../plugins/request-log/usage.js';

export function tableOfKeys(keys: ApiKeyRecord[]): string {
  const rows = keys.map((key) => [
    key.id,
    key.start,
    key.name,
    key.scopes.join(',') || '-',
    stateOf(key),
    key.expiresAt?.toISOString() ?? 'never',
    key.lastUsed?.toISOString() ?? 'never',
  ]);
  return tableOf([['ID', 'START', 'NAME', 'SCOPES', 'STATE', 'EXPIRES', 'LAST USED'], ...rows]);
}

/** @param showsKeys whether the events are of several keys */
export function tableOfEvents(events: ApiKeyEvent[], { showsKeys = false } = {}): string {
  const rows = events.map(({ createdAt, action, apiKeyId, actor, actorKeyId, ip, changes }) => [
    createdAt.toISOString(),
    action,
    ...(showsKeys ? [apiKeyId ?? '-'] : []),
    [actor, actorKeyId, ip].filter(Boolean).join(' '),
    Object.keys(Object(changes)).join(','),
  ]);
  return tableOf([['TIME', 'EVENT', ...(showsKeys ? ['KEY'] : []), 'BY', 'FIELDS'], ...rows]);
}

export function tableOfUsage({ total, series }: Usage): string {
  const outcomes = Object.keys(total.outcomes);
  const cells = cellsOf(outcomes);
  const rows = series.map(({ start, ...usage }) => [start.toISOString().slice(0, 10), ...cells(usage)]);
  return tableOf([['DAY', 'CHECKS', ...outcomes], ...rows, ['total', ...cells(total)]]);
}

export function tableOfOwners({ owners }: OwnerUsage): string {
  const outcomes = [...new Set(owners.flatMap(({ outcomes }) => Object.keys(outcomes)))];
  const cells = cellsOf(outcomes);
  return tableOf([
    ['OWNER', 'CHECKS', ...outcomes],
    ...owners.map(({ ownerId, ...usage }) => [ownerId, ...cells(usage)]),
  ]);
}

/** The cells of a row of usage: all checks, and those of each outcome. */
function cellsOf(outcomes: string[]) {
  return ({ count, outcomes: counts }: { count: number; outcomes: Record<string, number> }) =>
    [count, ...outcomes.map((name) => counts[name] ?? 0)].map(String);
}

export function listOf({ rateLimits, quota, ...rest }: ApiKeyRecord | OwnerLimits): string {
  const fields = { ...rest, rateLimits: formatLimits(rateLimits) || '-', quota: quota && quotaText(quota) };
  return tableOf(Object.entries(fields).map(([name, value]) => [name, textOf(value)]));
}

function quotaText({ limit, period, used, resetsAt }: QuotaState): string {
  return `${used} of ${limit} a ${period} used, resets at ${resetsAt.toISOString()}`;
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.join(',') || '-';
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '-');
}

function stateOf({ active, expiresAt }: ApiKeyRecord): string {
  if (!active) return 'disabled';
  return expiresAt && expiresAt.getTime() <= Date.now() ? 'expired' : 'active';
}

function tableOf(table: string[][]): string {
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
