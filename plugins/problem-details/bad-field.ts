import type { FastifyError } from 'fastify';

/**
 * What a schema cannot say is wrong with a field: answered as what a schema finds is, by its name.
 *
 * @param path of the field, such as `/querystring/from` or `/body/expiresAt`
 * @param message what is wrong, such as `must be in the future`
 */
export function badField(path: `/${'body' | 'querystring'}/${string}`, message: string): FastifyError {
  const [, context, ...fields] = path.split('/');
  const instancePath = `/${fields.join('/')}`;
  return Object.assign(new Error(`${path} ${message}`), {
    name: 'BadFieldError',
    code: 'VALIDATION_FAILED',
    statusCode: 400,
    validationContext: context as 'body' | 'querystring',
    validation: [{ instancePath, message, keyword: '', params: {}, schemaPath: '' }],
  });
}
