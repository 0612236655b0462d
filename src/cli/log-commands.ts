import AjvCompiler from '@fastify/ajv-compiler';
import { RequestLogExport } from '../../routes/request-log-fields.js';
import { CommandError, parseCommandLine } from './command-line.js';

const usage = `Usage: npm run logs -- COMMAND

  export --format ndjson|csv
         [--from TIME] [--to TIME] [--method METHOD] [--path PATH] [--route ROUTE]
         [--status-code NUMBER] [--min-duration MS] [--api-key-id ID]
                         write all requests that fit, oldest first; TO itself does not count

Works on the database at DATABASE_URL; without one on the embedded database, while no server has it open.

  --output FILE  into a file rather than to standard output, where npm writes too, unless it is silent
  --force        also when the file is there already

Examples: npm run logs -- export --format csv --from 2026-11-22T00:00:00Z --output logs.csv
          npm run --silent logs -- export --format ndjson --status-code 500 | head
`;

/** What `logs export` is asked to write, and where. */
export interface LogExport {
  /** As the query string of GET /v1/request-logs/export has it. */
  query: RequestLogExport;
  /** A file; standard output without. */
  output: string | undefined;
  force: boolean;
}

/** By name in the query string, the option and what it takes. */
const queryOptions = {
  format: { option: 'format', takes: 'ndjson or csv' },
  from: { option: 'from', takes: 'a time such as 2026-01-31T09:30:00Z' },
  to: { option: 'to', takes: 'a time such as 2026-01-31T09:30:00Z' },
  method: { option: 'method', takes: 'a method in capitals, such as GET' },
  path: { option: 'path', takes: 'a whole path without query string, such as /v1/me' },
  route: { option: 'route', takes: 'a template such as /v1/api-keys/:id' },
  statusCode: { option: 'status-code', takes: 'a whole number from 100 to 599' },
  minDuration: { option: 'min-duration', takes: 'a whole number of milliseconds' },
  apiKeyId: { option: 'api-key-id', takes: 'the id that "keys list" shows' },
} as const satisfies Record<keyof RequestLogExport, { option: string; takes: string }>;

const isQuery = AjvCompiler()({}, { customOptions: { coerceTypes: true, removeAdditional: false } })({
  schema: RequestLogExport,
  method: '',
  url: '',
});

/**
 * Finds out what is to be done, before any database is asked.
 *
 * @returns undefined for help, which is printed
 * @throws CommandError when `args` make no sense
 */
export function readLogsCommand(args: string[]): LogExport | undefined {
  const { values, positionals } = parse(args);
  const [name = 'help', ...rest] = positionals;
  if (values.help || name === 'help') {
    process.stdout.write(usage);
    return undefined;
  }
  if (name !== 'export') throw new CommandError(`unknown command "logs ${name}": try "logs --help"`);
  if (values.format === undefined) throw new CommandError('logs export needs --format ndjson or --format csv');
  if (rest.length > 0) throw new CommandError(`"${rest[0]}" belongs to no option: a file is --output FILE`);
  return { query: queryOf(values), output: values.output, force: values.force };
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
      route: { type: 'string' },
      'status-code': { type: 'string' },
      'min-duration': { type: 'string' },
      'api-key-id': { type: 'string' },
      output: { type: 'string', short: 'o' },
      force: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

/** Checked by the schema, and so by the rules, of the HTTP interface. */
function queryOf(values: ReturnType<typeof parse>['values']): RequestLogExport {
  const given = Object.entries(queryOptions).flatMap(([name, { option }]) => {
    const value = values[option];
    return value === undefined ? [] : [[name, value]];
  });
  const query: unknown = Object.fromEntries(given);
  if (isQuery(query)) return query as RequestLogExport;
  const wrong = isQuery.errors?.[0]?.instancePath?.slice(1) as keyof typeof queryOptions;
  const { option, takes } = queryOptions[wrong];
  throw new CommandError(`--${option} takes ${takes}; not "${values[option]}"`);
}
