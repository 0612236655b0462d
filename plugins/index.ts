// The entry `musicez/plugins`: the plugins of the service, for a Fastify application of your own. `src/app.ts` shows their order.

export { adminScope, default as apiKeys } from './api-keys/index.js';
export { default as clientAddress } from './client-address.js';
export { default as cors } from './cors.js';
export { default as database } from './database/index.js';
export { default as drain } from './drain.js';
export { default as emptyJsonBody } from './empty-json-body.js';
export { default as health } from './health.js';
export { default as keyUsage } from './key-usage.js';
export { default as limits } from './limits/index.js';
export { default as loadShedding } from './load-shedding.js';
export { default as metrics } from './metrics/index.js';
export { default as openapi, keySecurity } from './openapi.js';
export { default as prisma } from './prisma/index.js';
export { default as problemDetails } from './problem-details/index.js';
export { problems } from './problem-details/schema.js';
export { default as quotaEvents } from './quota-events.js';
export { default as requestId, newRequestId } from './request-id.js';
export { default as requestLog } from './request-log/index.js';
export { default as routing } from './routing.js';
export { default as securityHeaders } from './security-headers/index.js';
export { PreparedResponse } from './security-headers/prepared-response.js';
export { default as strictBodies } from './strict-bodies.js';
export { default as traceContext } from './trace-context.js';
export { default as tracing } from './tracing/index.js';
