import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox';
import { actorOf } from '../plugins/api-keys/actor.js';
import { type ImportedKey, type ImportResult, maxImportedKeys } from '../plugins/api-keys/import.js';
import { adminScope, keysWrite } from '../plugins/api-keys/index.js';
import { allows } from '../plugins/api-keys/scopes.js';
import { keySecurity } from '../plugins/openapi.js';
import { problems } from '../plugins/problem-details/schema.js';
import { deletedDigestOf, type EntryFault, ImportEntry, parseEntry } from './api-key-import-fields.js';
import { oneOf } from './fields.js';

const storedMessage = 'this service has the key: delete it here';
/** A thousand keys with the largest metadata. */
const bodyLimit = 8 * 2 ** 20;

const Import = Type.Object(
  { keys: Type.Array(ImportEntry, { minItems: 1, maxItems: maxImportedKeys }) },
  {
    additionalProperties: false,
    examples: [
      {
        keys: [
          {
            sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
            name: 'issued elsewhere',
            start: 'sk_live_4f',
            scopes: ['orders:read'],
            ownerId: 'customer-4711',
          },
        ],
      },
    ],
  },
);
const Result = Type.Object(
  {
    created: Type.Integer(),
    unchanged: Type.Integer({ description: 'Keys whose digest the service has, whatever their fields' }),
    deleted: Type.Integer({
      description: 'Digests that are recorded as deleted, so that no import creates these keys',
    }),
    failed: Type.Integer(),
    results: Type.Array(
      Type.Object({
        line: Type.Integer({ description: 'The number of the entry, from 1' }),
        status: oneOf('created', 'unchanged', 'deleted', 'error'),
        id: Type.Optional(Type.String({ description: 'The id of the key' })),
        path: Type.Optional(Type.String({ description: 'The field of the error, relative to the entry' })),
        message: Type.Optional(Type.String()),
      }),
    ),
  },
  {
    description: 'The result of each entry',
    examples: [
      {
        created: 1,
        unchanged: 0,
        deleted: 0,
        failed: 1,
        results: [
          { line: 1, status: 'created', id: '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07' },
          { line: 2, status: 'error', path: '/name', message: 'must be string' },
        ],
      },
    ],
  },
);

export const apiKeyImportRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/v1/api-keys/import',
    {
      onRequest: app.requireApiKey(keysWrite),
      bodyLimit,
      // The handler checks the entries one by one, so that an invalid one does not affect the others.
      attachValidation: true,
      schema: {
        tags: ['keys'],
        operationId: 'importApiKeys',
        summary: 'Import keys that were issued elsewhere',
        description: `Stores up to ${maxImportedKeys} keys by their SHA-256. An invalid entry does not affect the others. A key that the service has is left unchanged, so an import can be repeated; a key that was deleted is not restored. A caller with the scope \`admin\` can send every line of an export, also \`{"sha256":…,"deleted":true}\`.`,
        security: keySecurity,
        body: Import,
        response: { 200: Result, ...problems(400, 401, 403, 413, 415, 429, 500, 503) },
      },
    },
    async (request) => {
      const { body, validationError } = request;
      if (validationError && !hasEntries(body)) throw validationError;
      const isAdmin = allows(request.apiKey, adminScope);
      const entries = body.keys.map((entry) => parseLine(entry, isAdmin));
      const deleted = entries.flatMap((entry) => ('deleted' in entry ? entry.deleted : []));
      const kept = await app.apiKeys.retire(deleted, actorOf(request));
      const keys = entries.filter((entry): entry is ImportedKey => 'digest' in entry);
      const stored = (await app.apiKeys.importKeys(keys, actorOf(request))).values();
      const results = entries.map((entry, i) => {
        const line = i + 1;
        if ('digest' in entry) return { line, ...(stored.next().value as ImportResult) };
        if (!('deleted' in entry)) return { line, status: 'error' as const, ...entry };
        return kept.has(entry.deleted)
          ? { line, status: 'error' as const, path: '/deleted', message: storedMessage }
          : { line, status: 'deleted' as const };
      });
      const count = (status: string) => results.filter((result) => result.status === status).length;
      return {
        created: count('created'),
        unchanged: count('unchanged'),
        deleted: count('deleted'),
        failed: count('error'),
        results,
      };
    },
  );
};

/** @returns the key, the digest of a key to mark as deleted, or the first fault */
function parseLine(entry: unknown, isAdmin: boolean): ImportedKey | EntryFault | { deleted: string } {
  const deleted = deletedDigestOf(entry);
  if (deleted === undefined) return parseEntry(entry);
  return isAdmin ? { deleted } : { path: '/deleted', message: 'requires the scope admin' };
}

/** Whether the body has 1 to 1,000 entries, valid or not, and no other field. */
function hasEntries(body: unknown): boolean {
  const { keys, ...others } = Object(body);
  return Array.isArray(keys) && keys.length > 0 && keys.length <= maxImportedKeys && Object.keys(others).length === 0;
}
