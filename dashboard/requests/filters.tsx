import { useState } from 'preact/hooks';
import type { ApiKey } from '../../routes/api-key-fields.js';
import { get, type Page } from '../api.js';
import { nameOf, useKeyNames } from '../key-names.js';
import { Chips } from '../parts/chips.js';
import { Dialog } from '../parts/dialog.js';
import { Field } from '../parts/field.js';
import { duration } from '../parts/numbers.js';
import { useQuery } from '../query-cache.js';
import { routeOf, routeTitle } from '../route.js';
import { choose } from '../url-state.js';
import { type Filter, type FilterName, filterNames } from './filter.js';
import { filtersIn, filterValueOf } from './search-terms.js';

/** The search box of the log, its filters as chips, and a form to add one. */
export function Filters({ filter }: { filter: Filter }) {
  const keyNames = useKeyNames([filter.apiKeyId ?? null, filter.verifiedApiKeyId ?? null]);
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const [isAdding, setIsAdding] = useState(false);
  const active = filterNames.filter((name) => filter[name] !== undefined);

  function search() {
    try {
      const filters = filtersIn(text);
      setProblem('');
      setText('');
      if (Object.keys(filters).length > 0) choose(filters);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  return (
    <search class="filters">
      <input
        type="search"
        data-shortcut="search"
        aria-label="Search requests"
        aria-describedby="search-problem"
        aria-invalid={problem !== ''}
        placeholder="/v1/orders 5xx >500ms POST owner:customer-1"
        maxLength={1200}
        spellcheck={false}
        autocapitalize="off"
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
        onKeyDown={({ key }) => key === 'Enter' && search()}
      />
      <button type="button" onClick={() => setIsAdding(true)}>
        + Filter
      </button>
      <Chips chips={active.map((name) => ({ names: [name], text: chipText(name, filter[name] ?? '', keyNames) }))} />
      {active.length > 1 && (
        <button
          type="button"
          class="quiet"
          onClick={() => choose(Object.fromEntries(filterNames.map((name) => [name, undefined])))}
        >
          Clear
        </button>
      )}
      <p id="search-problem" class="form-error" role="alert">
        {problem}
      </p>
      {isAdding && <AddFilter onClose={() => setIsAdding(false)} />}
    </search>
  );
}

function chipText(name: FilterName, value: string, keyNames: ReadonlyMap<string, string>): string {
  switch (name) {
    case 'path':
      return value;
    case 'pathPrefix':
      return `${value}…`;
    case 'pathPart':
      return `…${value}…`;
    case 'route':
      return `route ${routeTitle(routeOf(value) ?? '')}`;
    case 'statusCode':
      return `status ${value}`;
    case 'minDuration':
      return `at least ${duration(Number(value))}`;
    case 'maxDuration':
      return `at most ${duration(Number(value))}`;
    case 'apiKeyId':
      return `key ${nameOf(keyNames, value)}`;
    case 'verifiedApiKeyId':
      return `verified key ${nameOf(keyNames, value)}`;
    case 'hasKey':
      return value === 'true' ? 'with a key' : 'without a key';
    case 'ownerId':
      return `owner ${value}`;
    case 'userAgent':
      return `user agent …${value}…`;
    case 'traceId':
      return `trace ${value}`;
    default:
      return value;
  }
}

/** The fields of the form, and their hints. */
const fields = {
  statusCode: ['Status', '500, 5xx or >=400'],
  pathPrefix: ['Path begins with', '/v1/orders/'],
  path: ['Path', '/v1/orders/17'],
  pathPart: ['Path contains', 'at least 3 characters'],
  route: ['Route', '/v1/orders/:id'],
  method: ['Method', 'GET'],
  minDuration: ['Duration at least', '500 ms or 1.5 s'],
  maxDuration: ['Duration at most', '500 ms or 1.5 s'],
  apiKeyId: ['Key', 'a part of its name'],
  hasKey: ['Without a key', ''],
  verifiedApiKeyId: ['Verified key', 'a part of its name'],
  ownerId: ['Owner', 'customer-4711'],
  ip: ['Address', '203.0.113.7'],
  userAgent: ['User agent contains', 'at least 3 characters'],
  traceId: ['Trace', '32 hexadecimal digits'],
} as const satisfies Record<FilterName, readonly [title: string, hint: string]>;

function AddFilter({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState<FilterName>('statusCode');
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const [title, hint] = fields[name];
  const isOfKey = name === 'apiKeyId' || name === 'verifiedApiKeyId';

  function add(value: string) {
    try {
      const filter = { [name]: name === 'hasKey' ? 'false' : filterValueOf(name, value.trim()) };
      onClose();
      choose(filter);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  return (
    <Dialog title="Add a filter" onClose={onClose}>
      <form
        class="action"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          add(text);
        }}
      >
        <Field label="Filter">
          {(attributes) => (
            <select
              {...attributes}
              value={name}
              onChange={({ currentTarget }) => {
                setName(currentTarget.value as FilterName);
                setProblem('');
              }}
            >
              {Object.entries(fields).map(([name, [title]]) => (
                <option key={name} value={name}>
                  {title}
                </option>
              ))}
            </select>
          )}
        </Field>
        {name !== 'hasKey' && (
          <Field label={title} hint={hint} error={problem}>
            {(attributes) => (
              <input
                {...attributes}
                autocomplete="off"
                spellcheck={false}
                maxLength={1024}
                value={text}
                onInput={({ currentTarget }) => setText(currentTarget.value)}
              />
            )}
          </Field>
        )}
        {isOfKey && <KeyChoice text={text} choose={add} />}
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const minSearchLength = 3;
const maxFound = 8;

/** The keys whose names contain a text. */
function KeyChoice({ text, choose }: { text: string; choose: (id: string) => void }) {
  const q = text.trim().length >= minSearchLength ? text.trim() : undefined;
  const found = useQuery(
    ['keys', 'found', q],
    (signal) => get<Page<ApiKey>>('/v1/api-keys', { q, limit: maxFound }, signal),
    null,
  );
  return (
    <ul class="found" aria-label="Keys">
      {found.data?.data.map(({ id, name, start }) => (
        <li key={id}>
          <button type="button" class="link" onClick={() => choose(id)}>
            <bdi>{name}</bdi> <code class="soft">{start}…</code>
          </button>
        </li>
      ))}
    </ul>
  );
}
