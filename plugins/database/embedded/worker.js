// JavaScript, unlike its neighbours: a worker thread cannot start from TypeScript under tsx.
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

// The pool holds one connection; the others are room for one that is just being replaced.
const maxConnections = 8;

/** @type {{ directory: string, socketPath: string }} where the database's files are, and where it listens */
const { directory, socketPath } = workerData;
if (!parentPort) throw new Error('not a worker thread');

const db = await PGlite.create(directory);
const server = new PGLiteSocketServer({ db, path: socketPath, maxConnections });
await server.start();
parentPort.postMessage('ready');

await once(parentPort, 'message');
await server.stop();
await db.close();
parentPort.close();
