import type { ApiKeyEvent, ApiKeyRecord } from '../../plugins/api-keys/store.js';

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

export function tableOfEvents(events: ApiKeyEvent[]): string {
  const rows = events.map(({ createdAt, action, actor, actorKeyId, ip, changes }) => [
    createdAt.toISOString(),
    action,
    [actor, actorKeyId, ip].filter(Boolean).join(' '),
    Object.keys(Object(changes)).join(','),
  ]);
  return tableOf([['TIME', 'EVENT', 'BY', 'FIELDS'], ...rows]);
}

export function listOf(key: ApiKeyRecord): string {
  return tableOf(
    Object.entries(key).map(([name, value]) => [
      name,
      value instanceof Date
        ? value.toISOString()
        : Array.isArray(value)
          ? value.join(',') || '-'
          : String(value ?? '-'),
    ]),
  );
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
