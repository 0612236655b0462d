import {
  type ApiKeyRecord,
  type ApiKeyStore,
  graceSeconds,
  highestRateLimit,
  namePattern,
  scopePattern,
} from '../../plugins/api-keys/store.js';
import { CommandError, parseCommandLine } from './command-line.js';
import { listOf, tableOfEvents, tableOfKeys } from './tables.js';

const usage = `Usage: npm run keys -- COMMAND

  create --name NAME [--scope SCOPE]... [--expires-at TIME] [--rate-limit REQUESTS_A_MINUTE]
                         make a key and print it, this once
  list                   all keys, newest first
  show ID                one key and what happened to it
  rotate ID [--grace SECONDS]
                         make a key that takes its place; the old one ends after a day, or SECONDS
  disable ID, enable ID  stop a key for a while
  revoke ID              delete a key

Works on the database at DATABASE_URL; without one on the embedded database, while no server has it open.

  --force  also when no active admin key is left
  --json   print JSON

Example: npm run keys -- create --name ci --scope admin
`;

const commands = { create, list, show, rotate, disable, enable, revoke };
const takeNoId = new Set(['create', 'list']);

const actor = { actor: 'cli' } as const;
const mostEventsShown = 20;

/**
 * Finds out what is to be done, before any database is asked.
 *
 * @returns undefined for help, which is printed
 * @throws CommandError when `args` make no sense
 */
export function readCommand(args: string[]): Work | undefined {
  const { values, positionals } = parse(args);
  const [name = 'help', id, ...more] = positionals;
  if (values.help || name === 'help') {
    process.stdout.write(usage);
    return undefined;
  }
  if (!Object.hasOwn(commands, name)) throw new CommandError(`unknown command "keys ${name}": try "keys --help"`);
  const surplus = takeNoId.has(name) ? id : more[0];
  // Not passed over in silence: whoever names two keys to revoke believes that both are.
  if (surplus !== undefined)
    throw new CommandError(`"${surplus}" is one too many: "keys --help" shows what ${name} takes`);
  return commands[name as keyof typeof commands]({ ...values, id });
}

/** What a command does with the keys, once its options have been found to make sense. */
export type Work = (store: ApiKeyStore) => Promise<void>;

type Options = ReturnType<typeof parse>['values'] & { id: string | undefined };

function parse(args: string[]) {
  return parseCommandLine('keys', {
    args,
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      scope: { type: 'string', multiple: true, default: [] },
      'expires-at': { type: 'string' },
      'rate-limit': { type: 'string' },
      grace: { type: 'string' },
      force: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

function create(options: Options): Work {
  const { name, scope: scopes } = options;
  if (!name?.trim() || !new RegExp(namePattern, 'u').test(name))
    throw new CommandError('keys create needs --name NAME, of 1 to 100 characters');
  const wrong = scopes.find((scope) => !new RegExp(scopePattern).test(scope));
  if (wrong !== undefined) throw new CommandError(`--scope takes letters a to z, digits and : _ . -; not "${wrong}"`);
  const expiresAt = options['expires-at'] === undefined ? null : new Date(options['expires-at']);
  if (expiresAt && !(expiresAt.getTime() > Date.now())) {
    throw new CommandError('--expires-at takes a time in the future, such as 2030-01-31T00:00:00Z');
  }
  const rateLimitPerMinute = integerOf(options, 'rate-limit', 1, highestRateLimit) ?? null;
  return async (store) => {
    const created = await store.create({ name, scopes, expiresAt, rateLimitPerMinute }, actor);
    print(options, created, () => `${created.key}\n\nid ${created.id}; the key is shown this once\n`);
  };
}

function list(options: Options): Work {
  return async (store) => {
    const keys: ApiKeyRecord[] = [];
    for (let page = await store.list(500); page.length > 0; page = await store.list(500, page.at(-1)?.id)) {
      keys.push(...page);
    }
    print(options, keys, () => tableOfKeys(keys));
  };
}

function show(options: Options): Work {
  const id = idOf(options, 'show');
  return async (store) => {
    const key = await store.get(id);
    const events = await store.events(id, mostEventsShown);
    print(options, { ...key, events }, () => `${listOf(key)}\n${tableOfEvents(events)}`);
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
      () => `${created.key}\n\nid ${created.id}; the key is shown this once. ${id} ends at ${end}\n`,
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

function idOf({ id }: Options, command: string): string {
  if (id === undefined) throw new CommandError(`keys ${command} needs the ID that "keys list" shows`);
  return id;
}

function integerOf(options: Options, name: 'rate-limit' | 'grace', min: number, max: number): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new CommandError(`--${name} takes a whole number from ${min} to ${max}; not "${text}"`);
}

function print({ json }: Options, data: unknown, text: () => string) {
  process.stdout.write(json ? `${JSON.stringify(data, null, 2)}\n` : text());
}
