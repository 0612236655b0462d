import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { commandNames } from '../../src/command-names.js';
import { Environment, packageRoot } from '../../src/config/index.js';

/** What users depend on in addition to exports and routes. */
export interface Surface {
  /** The subcommands and options of each command. */
  commands: Record<string, string[]>;
  /** The rules and the default of each variable, as JSON Schema. */
  variables: Record<string, object>;
  /** The columns of each table with their types. */
  tables: Record<string, Record<string, string>>;
  /** The type of each metric, and the labels that it has. */
  metrics: Record<string, string>;
}

/** @param app a service that is ready, on PostgreSQL or the embedded database */
export async function surfaceOf(app: FastifyInstance): Promise<Surface> {
  return {
    commands: Object.fromEntries(Object.keys(commandNames).map((name) => [name, optionsOf(name)])),
    variables: JSON.parse(JSON.stringify(Environment.properties)),
    tables: await tablesOf(app),
    metrics: await metricsOf(app),
  };
}

function optionsOf(command: string) {
  const args = [join(packageRoot, 'dist/src/cli.js'), command, '--help'];
  // The program `env` clears NODE_OPTIONS: tap adds its loader to each Node.js process that a test starts.
  const help = execFileSync('env', ['NODE_OPTIONS=', process.execPath, ...args], { encoding: 'utf8' });
  // Without the lines that name npm, which has options of its own.
  const lines = help.split('\n').filter((line) => !line.includes('npm '));
  const words = lines.flatMap((line) => line.match(/(?<=^ {2})[a-z]+|(?<=[ [|])--[a-z][a-z-]+/g) ?? []);
  return [...new Set(words)].toSorted();
}

async function tablesOf({ database: { pool, schema } }: FastifyInstance) {
  const { rows } = await pool.query<{ table: string; columns: Record<string, string> }>(
    `SELECT relname AS table, json_object_agg(attname, format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN '' ELSE ' or null' END
       ORDER BY attname) AS columns
     FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
     WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> '_prisma_migrations'
       AND attnum > 0 AND NOT attisdropped
     GROUP BY relname ORDER BY relname`,
    [schema],
  );
  return Object.fromEntries(rows.map(({ table, columns }) => [table, columns]));
}

async function metricsOf(app: FastifyInstance) {
  // Metrics of requests have samples, and so labels, only after a request.
  await app.inject('/v1/me');
  await app.requestLog.flush();
  const metrics = (await app.metrics.getMetricsAsJSON()).filter(({ name }) => /^(musicez|http)_/.test(name));
  return Object.fromEntries(
    metrics.map(({ name, type, ...metric }) => {
      const samples = 'values' in metric ? (metric.values as { labels: object }[]) : [];
      const labels = [...new Set(samples.flatMap((sample) => Object.keys(sample.labels)))].toSorted();
      return [name, [String(type), ...labels].join(' ')];
    }),
  );
}
