// An application of its own that uses the keys of musicez: plugins for the database, limits and keys.
import Fastify from 'fastify';
import { loadConfig } from 'musicez';
import { apiKeys, database, limits, prisma, problemDetails, securityHeaders } from 'musicez/plugins';

const config = loadConfig(process.env);
const app = Fastify({ logger: true });

await app.register(problemDetails);
await app.register(securityHeaders, {});
await app.register(database, { version: config.version, ...config.database });
await app.register(prisma);
await app.register(limits, config.limits);
await app.register(apiKeys, config.apiKeys);

app.get('/hello', { onRequest: app.requireApiKey('hello') }, async (request) => ({ hello: request.apiKey.name }));

process.once('SIGTERM', () => app.close());
await app.listen({ host: '127.0.0.1', port: config.port });
// Ends the process when the database can never be used, such as without the right to create tables.
await app.database.ready;
