import Fastify, { type FastifyPluginAsync } from 'fastify';
import t from 'tap';
import * as exported from '../../plugins/index.js';
import { loadConfig } from '../../src/config/index.js';
import { temporaryDirectory } from '../temporary-directory.js';

// The plugins wait for this database in the background.
const config = loadConfig({ DATABASE_URL: 'postgresql://127.0.0.1:1/none', DATA_DIR: temporaryDirectory() });
const { version } = config;

/** The plugins that have required options, with these. */
const optionsOf: Record<string, object> = {
  apiKeys: config.apiKeys,
  clientAddress: { trustProxy: config.trustProxy },
  cors: { origins: ['https://app.example.com'] },
  database: { version, ...config.database },
  drain: config.drain,
  limits: config.limits,
  loadShedding: { ...config.loadShedding, exempt: [] },
  openapi: { version },
  requestId: { isTrusted: () => false },
  requestLog: { ...config.requestLog, exclude: [] },
  securityHeaders: {},
  traceContext: { startsTraces: false },
  tracing: { variables: undefined, version, exclude: [] },
};

const meta = Symbol.for('plugin-meta');
const plugins = Object.entries(exported).flatMap(([name, value]) => {
  const plugin = value as FastifyPluginAsync & { [meta]?: { name: string } };
  return plugin[meta] ? [{ name, plugin, registeredName: plugin[meta].name, options: optionsOf[name] ?? {} }] : [];
});

t.test('a plugin that lacks another one names it, and works once that is registered', async (t) => {
  t.ok(plugins.length > 20);
  for (const { name, ...first } of plugins) {
    const needed = [first];
    for (;;) {
      const app = Fastify();
      for (const { plugin, options } of needed) app.register(plugin, options);
      app.get('/', async () => 'answered');
      const error = await app.ready().then(
        () => undefined,
        (error: Error) => error,
      );
      if (!error) {
        const { body } = await app.inject({ url: '/', headers: { origin: 'https://app.example.com' } });
        t.equal(body, 'answered', `${name} with ${needed.slice(0, -1).map(({ registeredName }) => registeredName)}`);
      }
      await app.close();
      if (!error) break;
      const [, missing] = /^The dependency '([\w-]+)' of plugin '[\w-]+' is not registered/.exec(error.message) ?? [];
      const dependency = plugins.find(({ registeredName }) => registeredName === missing);
      if (!t.ok(dependency, `${name}: ${error.message}`) || !dependency) break;
      if (needed.includes(dependency)) needed.splice(needed.indexOf(dependency), 1);
      needed.unshift(dependency);
    }
  }
});
