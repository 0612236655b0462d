// An HTTP interface of ClickHouse for the official client: runs queries in chdb, which is ClickHouse as a library. One at a time.
// Arguments: the directory of the data, the port.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { packageRoot } from '../../src/config/index.js';

interface Session {
  queryAsync(query: string, options?: { format?: string }): Promise<{ text(): string }>;
}
const require = createRequire(join(packageRoot, 'scripts/clickhouse/engine/package.json'));
const { Session } = require('chdb') as { Session: new (directory: string) => Session };

const [directory = '', port = '0'] = process.argv.slice(2);
const session = new Session(directory);
const run = async (query: string) => (await session.queryAsync(query, { format: 'JSONEachRow' })).text();

/** Parameters of a URL that are not settings. */
const others = ['query', 'query_id', 'database', 'default_format', 'session_id', 'wait_end_of_query'];
let turn: Promise<unknown> = Promise.resolve();

const server = createServer(async (request, response) => {
  const { searchParams, pathname } = new URL(request.url ?? '', 'http://front');
  if (pathname === '/ping') return void response.end('Ok.\n');
  const body = await text(request);
  const answer = turn.then(() => answerTo(searchParams, body));
  turn = answer.catch(() => {});
  try {
    response.end(await answer);
  } catch (error) {
    const { message } = error as Error;
    const [, code = '1'] = /Code: (\d+)/.exec(message) ?? [];
    response.writeHead(500, { 'x-clickhouse-exception-code': code }).end(message);
  }
});

const databases = new Set<string>();
let current = '';
/** The settings of the session. */
const settings = new Map<string, string>();

async function answerTo(searchParams: URLSearchParams, body: string): Promise<string> {
  const query = [searchParams.get('query') ?? '', body].filter((part) => part !== '').join('\n');
  await use(searchParams.get('database') ?? 'default');
  await setAll(new Map([...searchParams].filter(([name]) => !others.includes(name))));
  return run(query);
}

async function use(database: string) {
  if (!databases.has(database)) await run(`CREATE DATABASE IF NOT EXISTS ${quoted(database, '`')}`);
  if (database !== current) await run(`USE ${quoted(database, '`')}`);
  databases.add(database);
  current = database;
}

/** Sets these, and the others to their defaults. */
async function setAll(values: ReadonlyMap<string, string>) {
  const changed = [...values].filter(([name, value]) => settings.get(name) !== value);
  // Parameters of earlier queries do no harm.
  const unset = [...settings.keys()].filter((name) => !values.has(name) && !name.startsWith('param_'));
  const assignments = [
    ...changed.map(([name, value]) => `${name} = ${quoted(value, "'")}`),
    ...unset.map((name) => `${name} = DEFAULT`),
  ];
  if (assignments.length > 0) await run(`SET ${assignments.join(', ')}`);
  for (const name of unset) settings.delete(name);
  for (const [name, value] of changed) settings.set(name, value);
}

function quoted(text: string, mark: string) {
  return mark + text.replace(/[\\'`]/g, '\\$&') + mark;
}

server.listen(Number(port), '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  process.stdout.write(`listening on ${port}\n`);
});
