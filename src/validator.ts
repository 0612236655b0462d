import AjvCompiler from '@fastify/ajv-compiler';

type BuildValidator = ReturnType<typeof AjvCompiler>;
type Validate = ReturnType<ReturnType<BuildValidator>>;

const compilerFactory = AjvCompiler();

/** Text in a path or query becomes the number or boolean that the schema asks for; in a body nothing is converted. */
export const buildValidator: BuildValidator = (externalSchemas, options) => {
  const converting = compilerFactory(externalSchemas, options);
  const strict = compilerFactory(externalSchemas, {
    ...options,
    customOptions: { ...options?.customOptions, coerceTypes: false },
  } as typeof options);
  return (route) =>
    (route as { httpPart?: string }).httpPart === 'body' ? strict(route) : refusingInfinity(converting(route));
};

/** Ajv makes an integer of the texts "Infinity" and "1e400", and holds it against no maximum. */
function refusingInfinity(validate: Validate): Validate {
  const refusing = Object.assign((data: Record<string, unknown>) => {
    refusing.errors = validate(data) ? infinitiesIn(data) : validate.errors;
    return refusing.errors === null;
  }, validate);
  return refusing;
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
