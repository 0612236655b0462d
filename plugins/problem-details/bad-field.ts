import type { FastifyError } from 'fastify';

/**
 * Creates a 400 for a field, in the format of schema errors, for rules that a schema cannot express.
 *
 * @param path the field, such as `/querystring/from` or `/body/expiresAt`
 * @param message the rule, such as `must be in the future`
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
