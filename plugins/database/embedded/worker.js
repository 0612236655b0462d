// Plain JavaScript: under tsx, a worker thread cannot start from TypeScript.
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

// The pool has one connection. The others let its replacement connect before the old one is closed.
const maxConnections = 8;
// PostgreSQL's default of 128 MB adds half a second to the start, because every byte is written. The system caches the files.
const bufferSize = '16MB';

/** @type {{ directory: string, socketPath: string }} where the database's files are, and where it listens */
const { directory, socketPath } = workerData;
if (!parentPort) throw new Error('not a worker thread');

const db = await PGlite.create(directory, {
  startParams: [...PGlite.defaultStartParams, '-c', `shared_buffers=${bufferSize}`],
});
const server = new PGLiteSocketServer({ db, path: socketPath, maxConnections });
await server.start();
parentPort.postMessage('ready');

await once(parentPort, 'message');
await server.stop();
await db.close();
parentPort.close();
