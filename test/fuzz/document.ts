import AjvCompiler from '@fastify/ajv-compiler';

/** The parts of OpenAPI 3.0 that the service's document uses. */
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
  anyOf?: Schema[];
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
  example?: unknown;
}
export interface Response {
  content?: Record<string, Media>;
  headers?: Record<string, { required?: boolean; schema: Schema }>;
}
export interface Operation {
  /** For example `GET /v1/api-keys/{id}`. */
  name: string;
  method: string;
  path: string;
  parameters: Parameter[];
  body: Schema | undefined;
  responses: Record<string, Response>;
  /** Whether the operation needs no key. */
  isOpen: boolean;
}
export interface Document {
  paths: Record<
    string,
    Record<
      string,
      Pick<Operation, 'parameters' | 'responses'> & {
        requestBody?: { content: Record<string, Media> };
        security: unknown[];
      }
    >
  >;
}

/** Returns every operation of the document, with its references resolved. */
export function operationsOf(document: Document): Operation[] {
  const { paths } = resolveReferences(document, document) as Document;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, responses, security }]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content['application/json']?.schema,
      responses,
      isOpen: security.length === 0,
    })),
  );
}

/** Resolves the references in a part of the document. */
function resolveReferences(part: unknown, document: Document): unknown {
  if (Array.isArray(part)) return part.map((one) => resolveReferences(one, document));
  if (typeof part !== 'object' || part === null) return part;
  if ('$ref' in part) {
    const steps = String(part.$ref).split('/').slice(1);
    return resolveReferences(
      steps.reduce((at: unknown, step) => Object(at)[step], document),
      document,
    );
  }
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, resolveReferences(value, document)]));
}

type Validate = ((value: unknown) => boolean) & { errors?: { instancePath: string; message?: string }[] | null };

const validators = new Map<Schema, Validate>();
const compile = AjvCompiler()(
  {},
  {
    customOptions: { strict: false, coerceTypes: false, useDefaults: false, removeAdditional: false, allErrors: true },
  },
);

/** Validates a value with a schema of the document, without type conversion. @returns the errors, or undefined */
export function schemaErrorOf(schema: Schema, value: unknown): string | undefined {
  let validate = validators.get(schema);
  if (!validate) {
    validate = compile({ schema, method: '', url: '' }) as unknown as Validate;
    validators.set(schema, validate);
  }
  if (validate(value)) return undefined;
  return validate.errors?.map(({ instancePath, message }) => `${instancePath || '/'} ${message}`).join('; ');
}
