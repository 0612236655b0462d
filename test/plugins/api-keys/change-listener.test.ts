import { EventEmitter, once } from 'node:events';
import type pg from 'pg';
import t, { type Test } from 'tap';
import { ChangeListener } from '../../../plugins/api-keys/change-listener.js';

// coherence.test.ts uses a real PostgreSQL; here connections and notifications fail when the test says so.

function manualDatabase(t: Test) {
  const events = new EventEmitter();
  const clients: FakeClient[] = [];
  const database = { clients, delivers: true, events, acceptsConnections: true };

  class FakeClient extends EventEmitter {
    listens = false;
    async connect() {
      if (!database.acceptsConnections) throw new Error('refused');
    }
    async query(sql: string) {
      t.equal(sql, 'LISTEN musicez_api_keys');
      this.listens = true;
      events.emit('listening');
    }
    async end() {
      this.listens = false;
      this.emit('end');
    }
  }

  const notify = (payload: string) => {
    for (const client of clients) if (client.listens && database.delivers) client.emit('notification', { payload });
  };
  const pool = {
    async query(_sql: string, [, payload]: string[]) {
      notify(payload ?? '');
      return { rows: [{ nowMs: Date.now() }] };
    },
  };
  const received: string[] = [];
  const heartbeats: [from: number, until: number][] = [];
  const listener = new ChangeListener({
    createClient: () => {
      const client = new FakeClient();
      clients.push(client);
      return client as unknown as pg.Client;
    },
    pool: pool as unknown as pg.Pool,
    heartbeatIntervalMs: 1,
    onChange: (digest) => received.push(digest),
    onOwnerChanged: () => {},
    onAllChanged: () => received.push('all'),
    onHeartbeat(from, until) {
      heartbeats.push([from, until]);
      events.emit('heartbeat');
    },
    onClock: () => {},
    onStateChange: (isReceiving, reason) => events.emit('state', isReceiving, reason?.message),
  });
  t.teardown(() => listener.stop());
  // The timer between heartbeats does not keep the process alive.
  const keepAlive = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(keepAlive));
  return { database, clients, events, listener, notify, received, heartbeats };
}

t.test('the listener reports changes and the period in which it has received all of them', async (t) => {
  const { listener, events, notify, received, heartbeats } = manualDatabase(t);
  listener.start();
  t.strictSame(await once(events, 'state'), [true, undefined]);
  t.equal(listener.isReceiving, true);
  notify('digest');
  notify('*');
  t.strictSame(received, ['digest', 'all'], 'heartbeats are not reported as changes');
  await once(events, 'heartbeat');
  const [[first, earlier] = [], [from, later] = []] = heartbeats;
  t.equal(from, first);
  t.ok(Number(earlier) >= Number(first) && Number(later) > Number(earlier), 'each heartbeat extends the period');
});

t.test('a lost connection is replaced, and a new period begins', async (t) => {
  const { listener, events, clients, heartbeats } = manualDatabase(t);
  listener.start();
  await once(events, 'state');
  const lost = once(events, 'state');
  clients[0]?.emit('error', new Error('terminating connection due to administrator command'));
  t.strictSame(await lost, [false, 'terminating connection due to administrator command']);
  t.equal(listener.isReceiving, false);
  const before = heartbeats.length;
  t.strictSame(await once(events, 'state'), [true, undefined]);
  t.equal(clients.length, 2);
  t.ok((heartbeats[before]?.[0] ?? 0) > (heartbeats[0]?.[0] ?? 0));
});

t.test('without heartbeats the listener reports once that it receives no changes', async (t) => {
  const { listener, database, events } = manualDatabase(t);
  database.delivers = false;
  const states: unknown[] = [];
  events.on('state', (...state) => states.push(state));
  listener.start();
  await once(events, 'listening');
  t.equal(listener.isReceiving, false);
  await once(events, 'state');
  database.acceptsConnections = false;
  await once(events, 'listening', { signal: AbortSignal.timeout(100) }).catch(() => {});
  t.strictSame(states, [[false, 'no answer within 2000 ms']]);
});

t.test('the listener can be stopped while it waits to reconnect', async (t) => {
  const { listener, database, clients } = manualDatabase(t);
  database.acceptsConnections = false;
  listener.start();
  await listener.stop();
  t.equal(clients.length, 1);
});
