import AjvCompiler from '@fastify/ajv-compiler';

/** The parts of OpenAPI 3.0 that the service's document makes use of. */
export interface Schema {
  type?: string;
  pattern?: string;
  format?: string;
  enum?: unknown[];
  nullable?: boolean;
  minimum?: number;
  maximum?: number;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
}
export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema: Schema;
}
interface Media {
  schema: Schema;
}
export interface Operation {
  /** As in `GET /v1/api-keys/{id}`. */
  name: string;
  method: string;
  path: string;
  parameters: Parameter[];
  body: Schema | undefined;
  responses: Record<string, { content?: Record<string, Media> }>;
}
export interface Document {
  paths: Record<
    string,
    Record<string, Omit<Operation, 'name' | 'body'> & { requestBody?: { content: Record<string, Media> } }>
  >;
}

/** Every operation that the document has. */
export function operationsOf({ paths }: Document): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, responses }]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content['application/json']?.schema,
      responses,
    })),
  );
}

type Validate = ((value: unknown) => boolean) & { errors?: { instancePath: string; message?: string }[] | null };

/**
 * Makes the function that holds a value against a schema of the document, the one at `pointer`.
 *
 * @returns what is wrong with it; nothing if it fits
 */
export function validatorOf(document: Document) {
  const customOptions = {
    strict: false,
    coerceTypes: false,
    useDefaults: false,
    removeAdditional: false,
    allErrors: true,
  } as const;
  const compile = AjvCompiler()({ document: { $id: 'document', ...document } }, { customOptions });
  const known = new Map<string, Validate>();

  return (pointer: string[], value: unknown): string | undefined => {
    const path = pointer.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1')).map(encodeURIComponent);
    const $ref = `document#/${path.join('/')}`;
    let validate = known.get($ref);
    if (!validate) {
      validate = compile({ schema: { $ref }, method: '', url: '' }) as unknown as Validate;
      known.set($ref, validate);
    }
    if (validate(value)) return undefined;
    return validate.errors?.map(({ instancePath, message }) => `${instancePath || '/'} ${message}`).join('; ');
  };
}
