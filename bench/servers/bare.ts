// Bare Fastify: one route that responds with the same JSON and does no work.
import closeWithGrace from 'close-with-grace';
import Fastify from 'fastify';
import { Me, readMe } from './me.js';

const me = readMe();
const app = Fastify({ logger: false });
app.get('/v1/me', { schema: { response: { 200: Me } } }, async () => me);

closeWithGrace(() => app.close());
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
