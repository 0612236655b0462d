import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { parse } from 'yaml';

const compose = parse(readFileSync('docker-compose.yml', 'utf8'));

test("the database is the schema document's, to the letter", async (t) => {
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
    - "5432:5432"
  healthcheck:
    test: ["CMD-SHELL", "pg_isready -U postgres"]
    interval: 10s
    timeout: 5s
    retries: 5
`);
  t.strictSame(compose.services.postgres, fromDocument.postgres);
});

test('the service waits for a healthy database and uses it', async (t) => {
  const { build, depends_on, environment, ports } = compose.services.musicez;
  t.equal(build, '.');
  t.strictSame(depends_on, { postgres: { condition: 'service_healthy' } });
  t.equal(environment.DATABASE_URL, 'postgresql://postgres:password@postgres:5432/musicez_dev?schema=public');
  t.strictSame(ports, ['3000:3000']);
});

test('BOOTSTRAP_ADMIN_KEY is passed on only where it is set', async (t) => {
  t.equal(compose.services.musicez.environment.BOOTSTRAP_ADMIN_KEY, null);
});

test('the service writes to its volume and to /tmp only, and is given time to stop', async (t) => {
  const { read_only, tmpfs, volumes, stop_grace_period, restart } = compose.services.musicez;
  t.equal(read_only, true);
  t.strictSame(tmpfs, ['/tmp']);
  t.strictSame(volumes, ['musicez_data:/data']);
  t.equal(stop_grace_period, '30s');
  t.equal(restart, 'unless-stopped');
});

test('every named volume is declared', async (t) => {
  t.strictSame(Object.keys(compose.volumes), ['postgres_data', 'musicez_data']);
});
