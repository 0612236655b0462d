// The entry `musicez`: a service with route modules of your own.

// Also for its types: they add the decorators of the plugins to those of Fastify.
import '../plugins/index.js';

export { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox';
export type { OwnTables } from '../plugins/database/migrations/sets.js';
export { keySecurity } from '../plugins/openapi.js';
export { problems } from '../plugins/problem-details/schema.js';
export { StartError } from '../plugins/start-error.js';
export * from '../routes/fields.js';
export type { Extensions } from './app.js';
export { type Config, ConfigError, loadConfig } from './config/index.js';
export { createService, type Service, type ServiceOptions } from './service.js';
