import { type ApiKeyRecord, eventActions, graceSeconds } from '../../plugins/api-keys/key-fields.js';
import { generateKey } from '../../plugins/api-keys/key-format.js';
import type { ApiKeyStore } from '../../plugins/api-keys/store.js';
import { maxRequests } from '../../plugins/limits/limit.js';
import type { RequestLogReader } from '../../plugins/request-log/store.js';
import { commandNames } from '../command-names.js';
import { CommandError } from './command-line.js';
import { exportKeys } from './key-export.js';
import { importKeys } from './key-import.js';
import {
  allowedIpsOf,
  expiryHint,
  expiryOf,
  filterOf,
  idOf,
  integerOf,
  limitsOf,
  metadataOf,
  nameOf,
  type Options,
  oneOf,
  ownerOf,
  parse,
  prefixOf,
  quotaOf,
  scopesOf,
  timeOf,
} from './key-options.js';
import { listOf, tableOfEvents, tableOfKeys, tableOfOwners, tableOfUsage } from './tables.js';

const help = `Usage: ${commandNames.keys} COMMAND

  create --name NAME [--scope SCOPE]... [--expires-at TIME] [--rate-limit REQUESTS_A_MINUTE]
         [--limit REQUESTS/WINDOW]... [--quota REQUESTS/day|month] [--owner OWNER] [--metadata JSON] [--prefix PREFIX]
         [--allowed-ip ADDRESS|NETWORK]...
                         create a key and print it; it cannot be shown again
  list [--owner OWNER] [--q TEXT] [--scope SCOPE] [--active true|false] [--expires-after TIME]
       [--expires-before TIME] [--last-used-before TIME]
                         all keys that match, newest first; TEXT is a part of the name or the start
  show ID                one key and its events
  usage ID | --owner OWNER | --busiest [--from TIME] [--to TIME]
                         checks of a key or of the keys of an owner by day, or the 100 busiest owners;
                         of the last 30 days by default
  events [--action ACTION] [--actor ACTOR] [--owner OWNER] [--from TIME] [--to TIME]
                         the newest 500 events of all keys that match
  rotate ID [--grace SECONDS]
                         create a key that replaces it; the old one expires after a day, or SECONDS
  update ID [--name NAME] [--scope SCOPE]... [--expires-at TIME|never] [--rate-limit REQUESTS_A_MINUTE|default]
         [--limit REQUESTS/WINDOW|default]... [--quota REQUESTS/day|month|none] [--reset-quota]
         [--owner OWNER|none] [--metadata JSON|none] [--allowed-ip ADDRESS|NETWORK|all]...
                         change the given fields; scopes, limits and addresses replace the current ones
  limits --owner OWNER [--limit REQUESTS/WINDOW|none]... [--quota REQUESTS/day|month|none] [--reset-quota]
                         show the limits for all keys of an owner together, or change them
  disable ID, enable ID  suspend a key, and resume it
  revoke ID              delete a key
  import FILE            store keys that were issued elsewhere: a JSON object on each line, with sha256 or key, and name
  export [--output FILE] write all keys in the format of import, with digests in place of the keys
  generate               print a new key without storing it, for BOOTSTRAP_ADMIN_KEY

Uses the database at DATABASE_URL; without it, the embedded database: stop the service first.

  --force  even if no admin key would be left, or the last one would expire earlier; overwrites the file of an export
  --json   print JSON

Examples: ${commandNames.keys} create --name ci --scope admin
          ${commandNames.keys} create --name acme --owner customer-4711 --limit 10/1s --limit 600/1m --quota 100000/month
`;

const commands = {
  create,
  list,
  show,
  usage,
  events,
  update,
  rotate,
  limits,
  disable,
  enable,
  revoke,
  import: importFile,
  export: exportFile,
};
const commandsWithoutId = new Set(['create', 'list', 'limits', 'events', 'export', 'generate']);

const actor = { actor: 'cli' } as const;
const maxEventsShown = 20;
const dayMs = 86_400_000;

/**
 * Parses a `keys` command. Executes commands that need no database: help and `generate`.
 *
 * @param prefix the prefix of new keys
 * @returns undefined when the command was executed
 * @throws CommandError when `args` are invalid
 */
export function parseKeysCommand(args: string[], prefix = 'mez'): Work | undefined {
  const { values, positionals } = parse(args);
  const [name = 'help', id, ...more] = positionals;
  if (values.help || name === 'help') {
    process.stdout.write(help);
    return undefined;
  }
  const surplus = commandsWithoutId.has(name) ? id : more[0];
  // An error, because a user who names two keys to revoke expects both to be revoked.
  if (surplus !== undefined)
    throw new CommandError(`unexpected argument "${surplus}": "keys --help" shows the arguments of ${name}`);
  if (name === 'generate') {
    process.stdout.write(`${generateKey(prefix)}\n`);
    return undefined;
  }
  if (!Object.hasOwn(commands, name)) throw new CommandError(`unknown command "keys ${name}": try "keys --help"`);
  return commands[name as keyof typeof commands]({ ...values, id });
}

/** A parsed command, to execute with a store. */
export type Work = (store: ApiKeyStore, log: Pick<RequestLogReader, 'usage' | 'owners'>) => Promise<void>;

function create(options: Options): Work {
  const name = nameOf(options);
  if (name === undefined) throw new CommandError('keys create requires --name NAME, of 1 to 100 characters');
  const scopes = scopesOf(options) ?? [];
  const expiresAt = expiryOf(options) ?? null;
  if (expiresAt && expiresAt.getTime() <= Date.now()) throw new CommandError(`--expires-at ${expiryHint}`);
  const fields = {
    ownerId: ownerOf(options),
    metadata: metadataOf(options),
    prefix: prefixOf(options),
    allowedIps: allowedIpsOf(options),
    quota: quotaOf(options),
  };
  const limits = limitsGiven(options);
  return async (store) => {
    const created = await store.create({ name, scopes, expiresAt, ...limits, ...fields }, actor);
    print(options, created, () => `${created.key}\n\nid ${created.id}; this is the only time the key is shown\n`);
  };
}

function update(options: Options): Work {
  const id = idOf(options, 'update');
  const given = {
    name: nameOf(options),
    scopes: scopesOf(options),
    expiresAt: expiryOf(options),
    ...limitsGiven(options),
    quota: quotaOf(options),
    resetQuota: options['reset-quota'] || undefined,
    ownerId: options.owner === 'none' ? null : ownerOf(options),
    metadata: options.metadata === 'none' ? null : metadataOf(options),
    allowedIps: options['allowed-ip']?.join() === 'all' ? [] : allowedIpsOf(options),
  };
  const change = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (Object.keys(change).length === 0)
    throw new CommandError(
      'keys update requires --name, --scope, --expires-at, --rate-limit, --limit, --quota, --reset-quota, --owner, --metadata or --allowed-ip',
    );
  return async (store) => {
    const key = await store.update(id, change, actor, options);
    print(options, key, () => listOf(key));
  };
}

/** The limits of a key, in their long or short form. */
function limitsGiven(options: Options) {
  const limit = options['rate-limit'];
  const rateLimits = limitsOf(options);
  if (rateLimits && limit !== undefined) throw new CommandError('--rate-limit 600 is --limit 600/1m: give one of them');
  const perMinute = limit === 'default' ? null : integerOf(options, 'rate-limit', 1, maxRequests);
  return { ...(rateLimits && { rateLimits }), ...(perMinute !== undefined && { rateLimitPerMinute: perMinute }) };
}

function limits(options: Options): Work {
  const ownerId = ownerOf(options);
  if (ownerId === undefined)
    throw new CommandError('keys limits requires --owner; "keys show ID" shows those of a key');
  const rateLimits = limitsOf(options);
  const quota = quotaOf(options);
  const resetQuota = options['reset-quota'] || undefined;
  const isChange = rateLimits !== undefined || quota !== undefined || resetQuota;
  return async (store) => {
    const current = await store.getOwnerLimits(ownerId);
    const change = { rateLimits: rateLimits ?? current.rateLimits, quota: quota === undefined ? current.quota : quota };
    const found = isChange ? await store.setOwnerLimits(ownerId, { ...change, resetQuota }, actor) : current;
    print(options, found, () => listOf(found));
  };
}

function list(options: Options): Work {
  const filter = filterOf(options);
  return async (store) => {
    const keys: ApiKeyRecord[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const { data, nextCursor } = await store.list({ ...filter, limit: 500, cursor });
      keys.push(...data);
      cursor = nextCursor;
    }
    print(options, keys, () => tableOfKeys(keys));
  };
}

function show(options: Options): Work {
  const id = idOf(options, 'show');
  return async (store) => {
    const key = await store.get(id);
    const events = await store.listKeyEvents(id, maxEventsShown);
    print(options, { ...key, events }, () => `${listOf(key)}\n${tableOfEvents(events)}`);
  };
}

function usage(options: Options): Work {
  const { id: apiKeyId } = options;
  const ownerId = ownerOf(options);
  const given = [apiKeyId, ownerId, options.busiest || undefined].filter((value) => value !== undefined);
  if (given.length === 0) throw new CommandError('keys usage requires an ID, --owner or --busiest');
  if (options.busiest && given.length > 1)
    throw new CommandError('--busiest is for all owners: leave out ID and --owner');
  const to = timeOf(options, 'to') ?? new Date();
  const from = timeOf(options, 'from') ?? new Date(to.getTime() - 30 * dayMs);
  if (from >= to) throw new CommandError('--from must be before --to');
  return async (_store, log) => {
    const range = { from, to, interval: dayMs / 1_000, minutesSince: to };
    if (options.busiest) {
      const found = await log.owners(range);
      return print(options, found, () => tableOfOwners(found));
    }
    const found = await log.usage({ apiKeyId, ownerId, ...range });
    print(options, found, () => tableOfUsage(found));
  };
}

function events(options: Options): Work {
  const action = oneOf(options, 'action', eventActions);
  const actor = oneOf(options, 'actor', ['api-key', 'cli', 'service', 'sql']);
  const filter = { action, actor, ownerId: ownerOf(options), from: timeOf(options, 'from'), to: timeOf(options, 'to') };
  return async (store) => {
    const found = await store.listEvents({ ...filter, limit: 500 });
    print(options, found, () => tableOfEvents(found, { showsKeys: true }));
  };
}

function rotate(options: Options): Work {
  const id = idOf(options, 'rotate');
  const grace = integerOf(options, 'grace', 0, graceSeconds.max) ?? graceSeconds.default;
  return async (store) => {
    const created = await store.rotate(id, grace, actor);
    const old = await store.get(id);
    const end = old.expiresAt?.toISOString();
    print(
      options,
      created,
      () => `${created.key}\n\nid ${created.id}; this is the only time the key is shown. ${id} ends at ${end}\n`,
    );
  };
}

function disable(options: Options): Work {
  const id = idOf(options, 'disable');
  return async (store) => {
    const key = await store.update(id, { active: false }, actor, options);
    print(options, key, () => `${id} disabled\n`);
  };
}

function enable(options: Options): Work {
  const id = idOf(options, 'enable');
  return async (store) => {
    const key = await store.update(id, { active: true }, actor);
    print(options, key, () => `${id} enabled\n`);
  };
}

function revoke(options: Options): Work {
  const id = idOf(options, 'revoke');
  return async (store) => {
    await store.remove(id, actor, options);
    print(options, { id, revoked: true }, () => `${id} revoked\n`);
  };
}

function importFile(options: Options): Work {
  const { id: file } = options;
  if (file === undefined) throw new CommandError('keys import requires a FILE');
  return async (store) => {
    const counts = await importKeys(store, file, process.stderr);
    const { created, unchanged, deleted, failed } = counts;
    const summary = `${created} created, ${unchanged} unchanged, ${deleted} marked as deleted, ${failed} failed\n`;
    print(options, counts, () => summary);
    if (counts.failed > 0) throw new CommandError(`${counts.failed} lines of ${file} were not imported`);
  };
}

function exportFile({ output, force }: Options): Work {
  return async (store) => {
    const count = await exportKeys(store, { output, force }, process.stdout);
    process.stderr.write(`${count} keys written${output === undefined ? '' : ` to ${output}`}\n`);
  };
}

function print({ json }: Options, data: unknown, text: () => string) {
  process.stdout.write(json ? `${JSON.stringify(data, null, 2)}\n` : text());
}
