import fp from 'fastify-plugin';

/** Says in `x-request-id` by which id the request is found in the log and in `request_logs`. */
export default fp(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id);
      done();
    });
  },
  { name: 'request-id' },
);
