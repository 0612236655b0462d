import { EventEmitter, once } from 'node:events';
import type pg from 'pg';
import t, { type Test } from 'tap';
import { ChangeListener } from '../../../plugins/api-keys/change-listener.js';

// A real PostgreSQL is in coherence.test.ts; the faults here are made by hand.

/** Connections that answer, and notifications that arrive, as the test says. */
function manualDatabase(t: Test) {
  const events = new EventEmitter();
  const clients: FakeClient[] = [];
  const database = { clients, delivers: true, events, accepts: true };

  class FakeClient extends EventEmitter {
    listens = false;
    async connect() {
      if (!database.accepts) throw new Error('refused');
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
  const pool = { query: async (_sql: string, [, payload]: string[]) => notify(payload ?? '') };
  const heard: string[] = [];
  const beats: [from: number, until: number][] = [];
  const listener = new ChangeListener({
    createClient: () => {
      const client = new FakeClient();
      clients.push(client);
      return client as unknown as pg.Client;
    },
    pool: pool as unknown as pg.Pool,
    beatEveryMs: 1,
    onChange: (digest) => heard.push(digest),
    onAllChanged: () => heard.push('all'),
    onHeard(from, until) {
      beats.push([from, until]);
      events.emit('beat');
    },
    onTurn: (hears, reason) => events.emit('turn', hears, reason?.message),
  });
  t.teardown(() => listener.stop());
  return { database, clients, events, listener, notify, heard, beats };
}

t.test('it says what changes, and how long it has heard of every change', async (t) => {
  const { listener, events, notify, heard, beats } = manualDatabase(t);
  listener.start();
  t.strictSame(await once(events, 'turn'), [true, undefined]);
  t.equal(listener.hears, true);
  notify('digest');
  notify('*');
  t.strictSame(heard, ['digest', 'all'], 'heartbeats are not told as changes');
  await once(events, 'beat');
  const [[first, earlier] = [], [from, later] = []] = beats;
  t.equal(from, first);
  t.ok(Number(earlier) >= Number(first) && Number(later) > Number(earlier), 'time goes on with each heartbeat');
});

t.test('a connection that ends is replaced, and what was missed is known by a new beginning', async (t) => {
  const { listener, events, clients, beats } = manualDatabase(t);
  listener.start();
  await once(events, 'turn');
  const turned = once(events, 'turn');
  clients[0]?.emit('error', new Error('terminating connection due to administrator command'));
  t.strictSame(await turned, [false, 'terminating connection due to administrator command']);
  t.equal(listener.hears, false);
  const before = beats.length;
  t.strictSame(await once(events, 'turn'), [true, undefined]);
  t.equal(clients.length, 2);
  t.ok((beats[before]?.[0] ?? 0) > (beats[0]?.[0] ?? 0));
});

t.test('one that does not hear itself is deaf, and says so once', async (t) => {
  const { listener, database, events } = manualDatabase(t);
  database.delivers = false;
  const turns: unknown[] = [];
  events.on('turn', (...turn) => turns.push(turn));
  listener.start();
  await once(events, 'listening');
  t.equal(listener.hears, false);
  await once(events, 'turn');
  database.accepts = false;
  await once(events, 'listening', { signal: AbortSignal.timeout(100) }).catch(() => {});
  t.strictSame(turns, [[false, 'no answer within 2000 ms']]);
});

t.test('it stops while it waits, whatever for', async (t) => {
  const { listener, database, clients } = manualDatabase(t);
  database.accepts = false;
  listener.start();
  await listener.stop();
  t.equal(clients.length, 1);
});
