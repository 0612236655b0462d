import { databaseConfig } from '../../src/config/database.js';
import type { CapacityInputs, Store } from './options.js';

/** A figure of the plan, with its formula. */
export interface Figure {
  value: number;
  unit: string;
  /** The formula with its numbers filled in. */
  formula: string;
}

const secondsPerDay = 86_400;
const minutesPerDay = 1_440;
/** 24 hours and one day. */
const longPeriodsPerDay = 25;
/** Partitions of the next seven days, and the default partition. */
const emptyPartitions = 8;
/** The pools, and one connection for change notifications. */
const connectionsPerReplica = databaseConfig.connectionLimit + 1;
/** Three that PostgreSQL reserves for superusers, and three for administrators and backups. */
const reservedConnections = 6;
const spoolGb = 1.074;

/** Computes the figures of the plan, in the order in which they depend on each other. */
export function plan(inputs: CapacityInputs, store: Store = 'postgresql') {
  const {
    'requests-per-second': peak,
    'average-requests-per-second': average,
    'retention-days': days,
    'stats-retention-days': statsDays,
    routes,
    keys,
    utilisation,
    spare,
    standbys,
    headroom,
  } = inputs;
  const cpu = inputs['cpu-microseconds'];
  const rate = inputs['rows-per-second'];
  const servers = 1 + standbys;

  const perReplica = figure(
    (1e6 / cpu) * utilisation,
    'requests/s',
    `1,000,000 µs / ${show(cpu)} µs × ${show(utilisation)}`,
  );
  const needed = Math.ceil(peak / perReplica.value);
  const replicas = figure(needed + spare, '', `ceil(${show(peak)} / ${show(perReplica.value)}) + ${show(spare)} spare`);
  const connections = figure(
    (replicas.value + 2) * connectionsPerReplica + reservedConnections,
    '',
    `(${show(replicas.value)} + 1 of a rollout + 1 that drains) × (${databaseConfig.connectionLimit} + 1 listener) + ${reservedConnections} reserved`,
  );
  const isApart = store === 'clickhouse';
  const logProcessors = figure(
    Math.ceil(peak / (rate * utilisation)) + 1,
    'vCPU',
    `ceil(${show(peak)} rows/s / (${show(rate)} × ${show(utilisation)})) + 1 for queries and ${isApart ? 'merges' : 'vacuum'}`,
  );
  const keyProcessors = figure(2, 'vCPU', 'keys and quotas; an estimate');
  const serverProcessors = logProcessors.value + (isApart ? keyProcessors.value : 0);

  const rowsPerDay = figure(average * secondsPerDay, 'rows', `${show(average)} × ${show(secondsPerDay)} s`);
  const partitions = isApart
    ? figure(days + 1, '', `${show(days)} + today`)
    : figure(days + 1 + emptyPartitions, '', `${show(days)} + today + 7 ahead + 1 default`);
  const logGb = figure(
    (rowsPerDay.value * (days + 1) * inputs['row-bytes']) / 1e9,
    'GB',
    `${show(rowsPerDay.value)} × (${show(days)} + today) × ${show(inputs['row-bytes'])} bytes`,
  );
  const statsRowsPerDay = figure(
    (minutesPerDay + longPeriodsPerDay) * (routes + keys),
    'rows',
    `(1,440 minutes + 25 longer) × (${show(routes)} routes + ${show(keys)} keys)`,
  );
  const bytesAPeriod = routes * inputs['stats-row-bytes'] + keys * inputs['key-stats-row-bytes'];
  const statsGb = figure(
    (bytesAPeriod * (minutesPerDay * (days + 1) + longPeriodsPerDay * statsDays)) / 1e9,
    'GB',
    `(${show(routes)} × ${show(inputs['stats-row-bytes'])} + ${show(keys)} × ${show(inputs['key-stats-row-bytes'])} bytes) × (1,440 × (${show(days)} + today) + 25 × ${show(statsDays)})`,
  );
  const diskGb = figure(
    (logGb.value + statsGb.value) * headroom,
    'GB a server',
    `(${show(logGb.value)} + ${show(statsGb.value)}) × ${show(headroom)}`,
  );

  const processors = figure(
    replicas.value + serverProcessors * servers,
    'vCPU',
    `${show(replicas.value)} + ${show(serverProcessors)} × ${show(servers)} database servers${isApart ? ' of each kind' : ''}`,
  );
  const storedGb = figure(
    diskGb.value * servers + replicas.value * spoolGb,
    'GB',
    `${show(diskGb.value)} × ${show(servers)} + ${show(replicas.value)} spools × ${spoolGb} GB`,
  );
  const costPerMonth = figure(
    processors.value * inputs['price-vcpu-month'] + storedGb.value * inputs['price-gb-month'],
    'a month',
    `${show(processors.value)} × ${show(inputs['price-vcpu-month'])} + ${show(storedGb.value)} × ${show(inputs['price-gb-month'])}`,
  );

  return {
    perReplica,
    replicas,
    connections,
    /** Undefined: the other store. */
    databaseProcessors: isApart ? undefined : logProcessors,
    keyProcessors: isApart ? keyProcessors : undefined,
    clickHouseProcessors: isApart ? logProcessors : undefined,
    rowsPerDay,
    partitions,
    logGb,
    statsRowsPerDay,
    statsGb,
    diskGb,
    processors,
    storedGb,
    costPerMonth,
  };
}

export type Plan = ReturnType<typeof plan>;

function figure(value: number, unit: string, formula: string): Figure {
  return { value, unit, formula };
}

/** Formats a number, with up to two decimals below 100. */
export function show(value: number): string {
  const digits = value >= 100 || Number.isInteger(value) ? 0 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
