import AjvCompiler from '@fastify/ajv-compiler';
import { TimestampInput } from '../routes/fields.js';

type BuildValidator = ReturnType<typeof AjvCompiler>;
type Validate = ReturnType<ReturnType<BuildValidator>>;

const compilerFactory = AjvCompiler();

/** Converts text in paths and queries to the number or boolean of the schema. Bodies are not converted. */
export const buildValidator: BuildValidator = (externalSchemas, options) => {
  const converting = compilerFactory(externalSchemas, options);
  const strict = compilerFactory(externalSchemas, {
    ...options,
    customOptions: { ...options?.customOptions, coerceTypes: false },
  } as typeof options);
  return (route) =>
    (route as { httpPart?: string }).httpPart === 'body'
      ? explaining(strict(route))
      : rejectingInfinity(converting(route));
};

/** Rejects infinite numbers: Ajv converts the texts "Infinity" and "1e400" to numbers that pass every maximum. */
function rejectingInfinity(validate: Validate): Validate {
  const rejecting = Object.assign((data: Record<string, unknown>) => {
    rejecting.errors = validate(data) ? infinitiesIn(data) : explained(validate.errors);
    return rejecting.errors === null;
  }, validate);
  return rejecting;
}

function infinitiesIn(data: Record<string, unknown>) {
  const errors = Object.entries(data)
    .filter(([, value]) => [value].flat().some((one) => one === Infinity || one === -Infinity))
    .map(([name]) => ({
      instancePath: `/${name}`,
      keyword: 'type',
      params: {},
      schemaPath: '',
      message: 'must be finite',
    }));
  return errors.length > 0 ? errors : null;
}

/** Replaces patterns in messages by an example. */
function explaining(validate: Validate): Validate {
  const wrapped = Object.assign((data: unknown) => {
    const isValid = validate(data);
    wrapped.errors = isValid ? null : explained(validate.errors);
    return isValid;
  }, validate);
  return wrapped;
}

function explained(errors: Validate['errors']): Validate['errors'] {
  const isTime = (pattern: unknown) => pattern === TimestampInput.pattern;
  return errors?.map((error) =>
    error.keyword === 'format' || (error.keyword === 'pattern' && isTime(error.params?.pattern))
      ? { ...error, message: 'must be a time such as 2026-01-31T09:30:00Z' }
      : error,
  );
}
