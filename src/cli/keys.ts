import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  type ApiKeyRecord,
  type ApiKeyStore,
  createApiKeyStore,
  namePattern,
  scopePattern,
} from '../../plugins/api-keys/store.js';
import { openDatabase } from '../../plugins/database/open.js';
import { PrismaClient } from '../../plugins/prisma/generated/client.js';
import type { Config } from '../config/index.js';

/** The command line is wrong; the message says how. */
export class KeysCommandError extends Error {
  override name = 'KeysCommandError';
}

const usage = `Usage: npm run keys -- COMMAND

  create --name NAME [--scope SCOPE]... [--expires-at TIME]   make a key and print it, this once
  list                                                        all keys, newest first
  revoke ID                                                   delete a key

Works on the database at DATABASE_URL; without one on the embedded database, while no server has it open.

  --json  print JSON

Example: npm run keys -- create --name ci --scope admin
`;

const commands = { create, list, revoke };

/**
 * Runs one `keys` command and prints what came of it.
 *
 * @param args what follows `keys`
 * @throws KeysCommandError when `args` make no sense
 */
export async function runKeysCommand(args: string[], config: Config): Promise<void> {
  const { values, positionals } = parse(args);
  const [name = 'help', id] = positionals;
  if (values.help || name === 'help') {
    process.stdout.write(usage);
    return;
  }
  if (!Object.hasOwn(commands, name)) throw new KeysCommandError(`unknown command "keys ${name}": try "keys --help"`);
  const work = commands[name as keyof typeof commands]({ ...values, id });
  await withStore(config, work);
}

/** What a command does with the keys, once its options have been found to make sense. */
type Work = (store: ApiKeyStore) => Promise<void>;

type Options = ReturnType<typeof parse>['values'] & { id: string | undefined };

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        scope: { type: 'string', multiple: true, default: [] },
        'expires-at': { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new KeysCommandError(`${(error as Error).message.split('.', 1)[0]}: try "keys --help"`);
  }
}

async function withStore(config: Config, work: Work) {
  const database = openDatabase(config.database);
  try {
    await database.start((error) => process.stderr.write(`waiting for the database: ${error.message}\n`));
    await database.migrate(config.version);
    const prisma = new PrismaClient({ adapter: new PrismaPg(database.pool, { schema: database.schema }) });
    await work(createApiKeyStore(prisma, config.apiKeys.prefix));
  } finally {
    await database.close();
  }
}

function create(options: Options): Work {
  const { name, scope: scopes } = options;
  if (!name?.trim() || !new RegExp(namePattern, 'u').test(name))
    throw new KeysCommandError('keys create needs --name NAME, of 1 to 100 characters');
  const wrong = scopes.find((scope) => !new RegExp(scopePattern).test(scope));
  if (wrong !== undefined)
    throw new KeysCommandError(`--scope takes letters a to z, digits and : _ . -; not "${wrong}"`);
  const expiresAt = options['expires-at'] === undefined ? null : new Date(options['expires-at']);
  if (expiresAt && !(expiresAt.getTime() > Date.now())) {
    throw new KeysCommandError('--expires-at takes a time in the future, such as 2030-01-31T00:00:00Z');
  }
  return async (store) => {
    const { key, record } = await store.create({ name, scopes, expiresAt });
    print(options, { ...record, key }, () => `${key}\n\nid ${record.id}; the key is shown this once\n`);
  };
}

function list(options: Options): Work {
  return async (store) => {
    const keys: ApiKeyRecord[] = [];
    for (let page = await store.list(500); page.length > 0; page = await store.list(500, page.at(-1)?.id)) {
      keys.push(...page);
    }
    print(options, keys, () => tableOf(keys));
  };
}

function revoke(options: Options): Work {
  const { id } = options;
  if (id === undefined) throw new KeysCommandError('keys revoke needs the ID that "keys list" shows');
  return async (store) => {
    if (!(await store.remove(id))) throw new KeysCommandError(`there is no key ${id}`);
    print(options, { id, revoked: true }, () => `${id} revoked\n`);
  };
}

function print({ json }: Options, data: unknown, text: () => string) {
  process.stdout.write(json ? `${JSON.stringify(data, null, 2)}\n` : text());
}

function tableOf(keys: ApiKeyRecord[]): string {
  const rows = keys.map((key) => [
    key.id,
    key.start,
    key.name,
    key.scopes.join(',') || '-',
    key.active ? 'active' : 'disabled',
    key.expiresAt?.toISOString() ?? 'never',
  ]);
  const table = [['ID', 'START', 'NAME', 'SCOPES', 'STATE', 'EXPIRES'], ...rows];
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
