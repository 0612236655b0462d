import fp from 'fastify-plugin';

/**
 * Treats an empty JSON body as no body: many clients send `Content-Type: application/json` with each request, also with a
 * DELETE. A route that needs a body requires it in its schema.
 */
export default fp(
  async (app) => {
    const parseJson = app.getDefaultJsonParser('error', 'error');
    app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
      if (body === '') done(null, undefined);
      else parseJson(request, body as string, done);
    });
  },
  { name: 'empty-json-body' },
);
