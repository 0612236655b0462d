import AjvCompiler from '@fastify/ajv-compiler';
import { RequestLogExport } from '../../routes/request-log-fields.js';
import { commandNames } from '../command-names.js';
import { CommandError, parseCommandLine } from './command-line.js';

const usage = `Usage: ${commandNames.logs} COMMAND

  export --format ndjson|csv
         [--from TIME] [--to TIME] [--method METHOD] [--path PATH] [--path-prefix START]
         [--path-part PART] [--route ROUTE] [--status-code NUMBER|5xx|">=400"]
         [--min-duration MS] [--max-duration MS] [--api-key-id ID] [--has-key true|false]
         [--verified-api-key-id ID] [--owner OWNER] [--ip ADDRESS] [--user-agent PART]
         [--trace-id ID] [--exclude-management true]
                         write all requests that match, oldest first; --to is exclusive
  copy --from-postgres|--from-clickhouse --days NUMBER
                         copy the requests of the last days between PostgreSQL and the ClickHouse at
                         REQUEST_LOG_URL; can be interrupted and started again

Uses the ClickHouse at REQUEST_LOG_URL; without it, the database at DATABASE_URL; without both, the embedded
database: stop the service first.

  --output FILE  write to a file in place of standard output, where npm also writes without --silent
  --force        overwrite an existing file

Examples: ${commandNames.logs} export --format csv --from 2026-11-22 --output logs.csv
          ${commandNames.logs.replace('npm run', 'npm run --silent')} export --format ndjson --status-code 500 | head
`;

/** A parsed `logs export` command. */
export interface LogExport {
  /** The query of GET /v1/request-logs/export. */
  query: RequestLogExport;
  /** The file; undefined: standard output. */
  output: string | undefined;
  force: boolean;
}

/** A parsed `logs copy` command. */
export interface LogCopy {
  source: 'postgresql' | 'clickhouse';
  days: number;
}

/** No id is from before 1970. */
const maxDays = 20_000;

/** The option of each parameter of the query, and its values. */
const queryOptions = {
  format: { option: 'format', accepts: 'ndjson or csv' },
  from: { option: 'from', accepts: 'a day or a time, such as 2026-01-31 or 2026-01-31T09:30:00Z' },
  to: { option: 'to', accepts: 'a day or a time, such as 2026-01-31 or 2026-01-31T09:30:00Z' },
  method: { option: 'method', accepts: 'a method in capitals, such as GET' },
  path: { option: 'path', accepts: 'a whole path without query string, such as /v1/me' },
  pathPrefix: { option: 'path-prefix', accepts: 'the beginning of a path, such as /v1/orders/' },
  pathPart: { option: 'path-part', accepts: 'a part of a path, of 3 to 200 characters' },
  route: { option: 'route', accepts: 'a template such as /v1/api-keys/:id' },
  statusCode: {
    option: 'status-code',
    accepts: 'a number from 100 to 599, a class such as 5xx, or a bound such as >=400',
  },
  minDuration: { option: 'min-duration', accepts: 'a whole number of milliseconds' },
  maxDuration: { option: 'max-duration', accepts: 'a whole number of milliseconds' },
  apiKeyId: { option: 'api-key-id', accepts: 'the id that "keys list" shows' },
  hasKey: { option: 'has-key', accepts: 'true or false' },
  verifiedApiKeyId: { option: 'verified-api-key-id', accepts: 'the id that "keys list" shows' },
  ownerId: { option: 'owner', accepts: '1 to 200 printable characters' },
  ip: { option: 'ip', accepts: 'an address such as 203.0.113.7' },
  userAgent: { option: 'user-agent', accepts: 'a part of a user agent, of 3 to 200 characters' },
  traceId: { option: 'trace-id', accepts: '32 hexadecimal digits' },
  excludeManagement: { option: 'exclude-management', accepts: 'true or false' },
} as const satisfies Record<keyof RequestLogExport, { option: string; accepts: string }>;

const isQuery = AjvCompiler()({}, { customOptions: { coerceTypes: true, removeAdditional: false } })({
  schema: RequestLogExport,
  method: '',
  url: '',
});

/**
 * Parses a `logs` command.
 *
 * @returns undefined when it printed the help
 * @throws CommandError when `args` are invalid
 */
export function parseLogsCommand(args: string[]): LogExport | LogCopy | undefined {
  const { values, positionals } = parse(args);
  const [name = 'help', ...rest] = positionals;
  if (values.help || name === 'help') {
    process.stdout.write(usage);
    return undefined;
  }
  if (name === 'copy') return copyOf(values);
  if (name !== 'export') throw new CommandError(`unknown command "logs ${name}": try "logs --help"`);
  if (values.format === undefined) throw new CommandError('logs export requires --format ndjson or --format csv');
  if (rest.length > 0) throw new CommandError(`"${rest[0]}" is not an option: use --output FILE for a file`);
  return { query: queryOf(values), output: values.output, force: values.force };
}

function copyOf(values: ReturnType<typeof parse>['values']): LogCopy {
  const { 'from-postgres': fromPostgres, 'from-clickhouse': fromClickHouse, days = '' } = values;
  if (fromPostgres === fromClickHouse)
    throw new CommandError('logs copy requires --from-postgres or --from-clickhouse');
  if (!/^\d{1,5}$/.test(days) || Number(days) < 1 || Number(days) > maxDays)
    throw new CommandError(`--days must be a whole number from 1 to ${maxDays}; not "${days}"`);
  return { source: fromPostgres ? 'postgresql' : 'clickhouse', days: Number(days) };
}

function parse(args: string[]) {
  return parseCommandLine('logs', {
    args,
    allowPositionals: true,
    options: {
      format: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      method: { type: 'string' },
      path: { type: 'string' },
      'path-prefix': { type: 'string' },
      'path-part': { type: 'string' },
      route: { type: 'string' },
      'status-code': { type: 'string' },
      'min-duration': { type: 'string' },
      'max-duration': { type: 'string' },
      'api-key-id': { type: 'string' },
      'has-key': { type: 'string' },
      'verified-api-key-id': { type: 'string' },
      owner: { type: 'string' },
      ip: { type: 'string' },
      'user-agent': { type: 'string' },
      'trace-id': { type: 'string' },
      'exclude-management': { type: 'string' },
      'from-postgres': { type: 'boolean', default: false },
      'from-clickhouse': { type: 'boolean', default: false },
      days: { type: 'string' },
      output: { type: 'string', short: 'o' },
      force: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

/** A date is its start in UTC, as for the expiry of keys. */
function timeOf(text: string): string {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
}

/** Validated with the schema of the API. */
function queryOf(values: ReturnType<typeof parse>['values']): RequestLogExport {
  const parameters = Object.entries(queryOptions).flatMap(([name, { option }]) => {
    const value = values[option];
    return value === undefined ? [] : [[name, name === 'from' || name === 'to' ? timeOf(value) : value]];
  });
  const query: unknown = Object.fromEntries(parameters);
  if (isQuery(query)) return query as RequestLogExport;
  const wrong = isQuery.errors?.[0]?.instancePath?.slice(1) as keyof typeof queryOptions;
  const { option, accepts } = queryOptions[wrong];
  throw new CommandError(`--${option} must be ${accepts}; not "${values[option]}"`);
}
