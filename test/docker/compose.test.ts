import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { parse } from 'yaml';
import { closeDeadlineMs, Environment, loadConfig } from '../../src/config/index.js';
import { readDockerfile } from './dockerfile.js';

interface Service {
  image?: string;
  build?: string;
  profiles?: string[];
  depends_on?: Record<string, { condition: string; required?: boolean; restart?: boolean }>;
  environment?: Record<string, string | null>;
  healthcheck?: { test: string[] };
  networks?: { default: { ipv4_address: string } };
  volumes?: string[];
  ports?: string[];
  [field: string]: unknown;
}
interface Compose {
  services: Record<'postgres' | 'musicez' | 'replica' | 'redis' | 'nginx', Service>;
  networks: { default: { ipam: { config: { subnet: string; ip_range: string }[] } } };
  volumes: Record<string, null>;
}

const { services, networks, volumes }: Compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });
const { postgres, ...ours } = services;
const { musicez, replica, redis, nginx } = ours;
const dockerfile = readDockerfile();

/** docker compose needs no engine here. Debian has no package of it, so the test can be skipped in CI too. */
const needsCompose = !compose('version') && 'needs docker compose';

test('the database service matches the schema document, except that only this machine can reach its port', async (t) => {
  const fromDocument = parse(`
postgres:
  image: postgres:16-alpine
  environment:
    POSTGRES_USER: postgres
    POSTGRES_PASSWORD: password
    POSTGRES_DB: musicez_dev
  volumes:
    - postgres_data:/var/lib/postgresql/data
    - ./docker/postgres/init.sql:/docker-entrypoint-initdb.d/init.sql
  ports:
    - "127.0.0.1:5432:5432"
  healthcheck:
    test: ["CMD-SHELL", "pg_isready -U postgres"]
    interval: 10s
    timeout: 5s
    retries: 5
`);
  t.strictSame(postgres, fromDocument.postgres);
});

test('Redis starts with either profile, nginx and the replica with one, the other services always', async (t) => {
  const profiles = Object.entries(services).map(([name, { profiles = [] }]) => [name, profiles]);
  t.strictSame(Object.fromEntries(profiles), {
    postgres: [],
    musicez: [],
    replica: ['replicas'],
    redis: ['redis', 'replicas'],
    nginx: ['replicas'],
  });
});

test('docker compose accepts the file with each profile', { skip: needsCompose }, async (t) => {
  for (const [profile, names] of Object.entries({
    none: ['musicez', 'postgres'],
    redis: ['musicez', 'postgres', 'redis'],
    replicas: ['musicez', 'nginx', 'postgres', 'redis', 'replica'],
  })) {
    t.strictSame(compose('--profile', profile, 'config', '--services')?.trim().split('\n').toSorted(), names);
  }
});

test('the service uses the database and waits until it is healthy, and waits for Redis if it is enabled', async (t) => {
  t.equal(musicez.build, '.');
  t.strictSame(musicez.depends_on, {
    postgres: { condition: 'service_healthy' },
    redis: { condition: 'service_healthy', required: false },
  });
  t.equal(musicez.environment?.DATABASE_URL, 'postgresql://postgres:password@postgres:5432/musicez_dev?schema=public');
  t.strictSame(musicez.ports, ['3000:3000']);
});

test('the service reads every variable and accepts its value', async (t) => {
  const { BOOTSTRAP_ADMIN_KEY, ...variables } = musicez.environment ?? {};
  t.equal(BOOTSTRAP_ADMIN_KEY, null, 'passed on only if it is set');
  for (const name of Object.keys(musicez.environment ?? {})) t.ok(name in Environment.properties, name);
  const { database, limits, trustProxy } = loadConfig(variables as NodeJS.ProcessEnv);
  t.equal(new URL(database.url ?? '').hostname, 'postgres');
  t.equal(new URL(limits.redisUrl ?? '').hostname, 'redis');
  t.strictSame(trustProxy, [nginx.networks?.default.ipv4_address]);
});

test('the replica is the same service with its own volume and without a published port', async (t) => {
  const { profiles, ...same } = replica;
  const { ports, ...other } = musicez;
  t.strictSame(same, { ...other, volumes: ['replica_data:/data'] });
});

test('nginx, the trusted proxy, has a fixed address outside the range of dynamic addresses', async (t) => {
  const [config, ...others] = networks.default.ipam.config;
  t.strictSame([config, others], [{ subnet: '10.213.77.0/24', ip_range: '10.213.77.0/25' }, []]);
  const [, last] = /^10\.213\.77\.(\d+)$/.exec(nginx.networks?.default.ipv4_address ?? '') ?? [];
  t.ok(Number(last) > 127 && Number(last) < 255);
});

test('every service has a health check, and services that depend on it wait until it is healthy', async (t) => {
  const fromDockerfile = dockerfile.some(({ keyword, stage }) => keyword === 'HEALTHCHECK' && stage === undefined);
  for (const [name, { build, healthcheck, depends_on = {} }] of Object.entries(services)) {
    t.ok(build ? fromDockerfile : healthcheck?.test.length, name);
    for (const [other, { condition }] of Object.entries(depends_on)) {
      t.ok(other in services, other);
      t.equal(condition, 'service_healthy', `${name} waits for ${other}`);
    }
  }
});

test('every service except the database runs read-only, without capabilities and not as root', async (t) => {
  for (const [name, service] of Object.entries(ours)) {
    const { read_only, cap_drop, security_opt, restart, build, user } = service;
    const hardened = { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] };
    t.strictSame({ read_only, cap_drop, security_opt }, hardened, name);
    t.equal(restart, 'unless-stopped', name);
    const fromDockerfile = dockerfile.find(({ keyword }) => keyword === 'USER')?.rest;
    t.match(build ? fromDockerfile : user, /^[1-9]\d*:[1-9]\d*$/, name);
  }
  t.strictSame([musicez.tmpfs, nginx.tmpfs, redis.tmpfs], [['/tmp'], ['/tmp'], ['/data']]);
});

test('the stop grace period is longer than the shutdown deadline', async (t) => {
  const [, seconds] = /^(\d+)s$/.exec(String(musicez.stop_grace_period)) ?? [];
  t.ok(Number(seconds) * 1_000 > closeDeadlineMs);
});

test('every image is pinned by a tag', async (t) => {
  for (const [name, { build, image }] of Object.entries(services)) {
    if (!build) t.match(image, /^[a-z]+:\d[\w.]*-alpine$/, name);
  }
});

test('no port is published twice', async (t) => {
  const published = Object.values(services).flatMap(({ ports = [] }) => ports.map((port) => port.split(':').at(-2)));
  t.strictSame(published.toSorted(), ['3000', '5432', '8000']);
});

test('every volume is declared and used by one service, and every mounted file exists', async (t) => {
  const mounts = Object.values(services).flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')));
  const named = mounts.flatMap(([source = '']) => (source.startsWith('.') ? [] : source));
  t.strictSame(named.toSorted(), Object.keys(volumes).toSorted());
  for (const [source = ''] of mounts) t.ok(!source.startsWith('.') || existsSync(source), source);
  t.strictSame(nginx.volumes, ['./docker/nginx/nginx.conf:/etc/nginx/nginx.conf:ro']);
  const dataDir = dockerfile.find(({ keyword }) => keyword === 'VOLUME')?.rest;
  for (const { volumes } of [musicez, replica]) t.equal(volumes?.[0]?.split(':')[1], dataDir);
});

/** @returns the output of docker compose, or undefined if it fails */
function compose(...args: string[]): string | undefined {
  try {
    return execFileSync('docker', ['compose', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}
