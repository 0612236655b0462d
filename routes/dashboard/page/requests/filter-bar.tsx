import { useState } from 'preact/hooks';
import { nameOf } from '../key-names.js';
import { choose } from '../place.js';
import { type Filter, filterNames, isoTime, localTime } from './filter.js';
import { Choice, Entry } from './filter-field.js';

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const nothing = Object.fromEntries(filterNames.map((name) => [name, undefined]));

const moment = { toText: localTime, toValue: isoTime, input: { type: 'datetime-local', step: 1 } } as const;

/** All that the log can be narrowed down by; on a phone behind a button. */
export function FilterBar({ filter, keyNames }: { filter: Filter; keyNames: ReadonlyMap<string, string> }) {
  const [isOpen, setIsOpen] = useState(false);
  const given = filterNames.filter((name) => filter[name]).length;
  return (
    <>
      <button type="button" class="filters-toggle" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        Filters{given > 0 && ` (${given})`}
      </button>
      <form
        class={isOpen ? 'filters open' : 'filters'}
        aria-label="Filters"
        onSubmit={(event) => event.preventDefault()}
      >
        <Choice name="method" title="Method" value={filter.method} options={methods} />
        <Entry
          name="path"
          title="Path"
          value={filter.path}
          input={{ type: 'text', maxLength: 1024, placeholder: '/v1/…', spellcheck: false, autocapitalize: 'off' }}
        />
        <Entry
          name="route"
          title="Route"
          value={filter.route}
          input={{ type: 'text', maxLength: 1024, placeholder: '/v1/…/:id', spellcheck: false, autocapitalize: 'off' }}
        />
        <Entry
          name="statusCode"
          title="Status"
          value={filter.statusCode}
          input={{ type: 'number', min: 100, max: 599 }}
        />
        <Entry
          name="minDuration"
          title="At least, ms"
          value={filter.minDuration}
          input={{ type: 'number', min: 0, max: 2 ** 31 - 1 }}
        />
        <Choice
          name="apiKeyId"
          title="Key"
          value={filter.apiKeyId}
          options={[...keyNames.keys()]}
          titleOf={(id) => nameOf(keyNames, id)}
        />
        <Entry name="from" title="From" value={filter.from} {...moment} />
        <Entry name="to" title="To" value={filter.to} {...moment} />
        {given > 0 && (
          <button type="button" class="quiet" onClick={() => choose(nothing)}>
            Clear
          </button>
        )}
      </form>
    </>
  );
}
