import { useState } from 'preact/hooks';
import { nameOf } from '../key-names.js';
import { choose } from '../url-state.js';
import { type Filter, filterNames, isoTime, localTime, searchRange } from './filter.js';
import { Choice, Entry } from './filter-field.js';

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const noFilters = Object.fromEntries(filterNames.map((name) => [name, undefined]));

const moment = { toText: localTime, toValue: isoTime, input: { type: 'datetime-local', step: 1 } } as const;

/** The filters of the log; on phones behind a button. */
export function FilterBar({ filter, keyNames }: { filter: Filter; keyNames: ReadonlyMap<string, string> }) {
  const [isOpen, setIsOpen] = useState(false);
  const activeCount = filterNames.filter((name) => filter[name]).length;
  return (
    <>
      <button type="button" class="filters-toggle" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        Filters{activeCount > 0 && ` (${activeCount})`}
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
        {filter.verifiedApiKeyId && (
          <Choice
            name="verifiedApiKeyId"
            title="Verified key"
            value={filter.verifiedApiKeyId}
            options={[...keyNames.keys()]}
            titleOf={(id) => nameOf(keyNames, id)}
          />
        )}
        <Entry
          name="ownerId"
          title="Owner"
          value={filter.ownerId}
          input={{ type: 'text', maxLength: 200, spellcheck: false, autocapitalize: 'off' }}
        />
        <Entry
          name="ip"
          title="Address"
          value={filter.ip}
          input={{ type: 'text', pattern: '[0-9A-Fa-f:.]{2,45}', placeholder: '203.0.113.7', spellcheck: false }}
        />
        <Entry
          name="userAgent"
          title="User agent"
          value={filter.userAgent}
          extraParams={() => searchRange(filter)}
          input={{ type: 'text', minLength: 3, maxLength: 200, placeholder: 'a part of it', spellcheck: false }}
        />
        <Entry name="from" title="From" value={filter.from} {...moment} />
        <Entry name="to" title="To" value={filter.to} {...moment} />
        {activeCount > 0 && (
          <button type="button" class="quiet" onClick={() => choose(noFilters)}>
            Clear
          </button>
        )}
      </form>
    </>
  );
}
