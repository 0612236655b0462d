import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { markSocketError } from '../../../database/unavailable.js';

/** Values of `{name:Type}` in a query. */
export type Parameters = Record<string, string | number | readonly string[]>;

const defaultTimeoutMs = 15_000;

/**
 * Codes of errors in the data: it cannot be parsed or does not fit its column. Other batches can be stored.
 *
 * @see https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
 */
const dataErrors = new Set(['6', '26', '27', '38', '41', '53', '69', '70', '72', '117', '131', '349', '376']);

/** Codes of errors in a statement, such as unknown functions and columns. A retry cannot succeed. */
const statementErrors = new Set('36 42 43 44 46 47 48 50 62 63 179 184 207 215 386'.split(' '));
/** Codes of a wrong user or password. */
const authenticationErrors = new Set(['192', '193', '516']);
const accessDenied = '497';

/** A connection to ClickHouse over HTTP. Methods throw errors that count as an unavailable database when it does not respond. */
export class ClickHouse {
  /** Without user and password. */
  readonly address: string;
  private readonly client: ClickHouseClient;

  /** @param url `clickhouse://user:password@host:8123/database`, or `clickhouses://` for TLS */
  constructor(url: string, { requestTimeoutMs = defaultTimeoutMs } = {}) {
    const { protocol, hostname, port, username, password, pathname } = new URL(url);
    const isSecure = protocol === 'clickhouses:';
    const database = decodeURIComponent(pathname.slice(1)) || 'default';
    const host = `${hostname}:${port || (isSecure ? 8443 : 8123)}`;
    this.address = `${host}/${database}`;
    this.client = createClient({
      url: `${isSecure ? 'https' : 'http'}://${host}`,
      username: decodeURIComponent(username) || 'default',
      password: decodeURIComponent(password),
      database,
      request_timeout: requestTimeoutMs,
      application: 'musicez',
      log: { level: ClickHouseLogLevel.OFF },
      // Rows are JSON text already, made with pauses. The client would convert a whole batch without one.
      json: { stringify: String },
      clickhouse_settings: {
        output_format_json_quote_64bit_integers: 0,
        // Otherwise the name in `sum(count)` of `sum(count) AS count` would stand for the sum.
        prefer_column_name_to_alias: 1,
      },
    });
  }

  async rows<Row>(query: string, parameters: Parameters = {}): Promise<Row[]> {
    const result = await this.run(() =>
      this.client.query({ query, query_params: { ...parameters }, format: 'JSONEachRow' }),
    );
    return this.run(() => result.json<Row>());
  }

  async execute(statement: string): Promise<void> {
    await this.run(() => this.client.command({ query: statement }));
  }

  /**
   * Inserts rows as one block, also into the tables of materialized views.
   *
   * @param rows each row as JSON text: an array of its column values
   * @param token a block with the same token is inserted once
   */
  async insert(table: string, columns: readonly string[], rows: readonly string[], token: string): Promise<void> {
    await this.run(() =>
      this.client.insert({
        table,
        columns: [...columns] as [string, ...string[]],
        values: rows,
        format: 'JSONCompactEachRow',
        clickhouse_settings: {
          async_insert: 0,
          insert_deduplicate: 1,
          // A page that `logs copy` writes can have rows of many days.
          max_partitions_per_insert_block: '0',
          insert_deduplication_token: token,
          deduplicate_blocks_in_dependent_materialized_views: 1,
          input_format_parallel_parsing: 0,
        },
      }),
    );
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async run<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      const { code } = error as { code?: string };
      if (!(error instanceof ClickHouseError && (isDataError(error) || statementErrors.has(error.code))))
        markSocketError(Object(error));
      const message = withoutUser(code, (error as Error).message);
      throw message === undefined ? error : Object.assign(error as Error, { message });
    }
  }
}

/** The text in place of a message that names the user. */
function withoutUser(code: string | undefined, message: string): string | undefined {
  if (code !== undefined && authenticationErrors.has(code)) return 'REQUEST_LOG_URL has a wrong user or password';
  if (code === accessDenied)
    return `the user of REQUEST_LOG_URL has too few rights: ${message.replace(/^[^:]*: /, '')}`;
  return undefined;
}

export function isDataError(error: unknown): boolean {
  return error instanceof ClickHouseError && dataErrors.has(error.code);
}
