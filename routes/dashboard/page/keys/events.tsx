import { useState } from 'preact/hooks';
import type { ApiKeyEvent } from '../../../api-key-fields.js';
import { get, type Page, type Wire } from '../api.js';
import { nameOf, useKeyNames } from '../key-names.js';
import { Part } from '../parts/part.js';
import { momentOf, Time } from '../parts/time.js';
import { usePolled } from '../polled.js';

type Event = Wire<ApiKeyEvent>;
const firstLimit = 20;
const mostEvents = 500;
const refreshMs = 15_000;
/** What a change says that its action does not. */
const untold: Record<string, string[]> = { disabled: ['active'], enabled: ['active'], rotated: ['replacedBy'] };

/** What happened to a key, newest first; also to one that is gone. */
export function Events({ keyId, version }: { keyId: string; version: number }) {
  const [limit, setLimit] = useState(firstLimit);
  const names = useKeyNames();
  const events = usePolled(
    JSON.stringify([keyId, version, limit]),
    (signal) => get<Page<ApiKeyEvent>>(`/v1/api-keys/${encodeURIComponent(keyId)}/events`, { limit }, signal),
    refreshMs,
  );
  return (
    <section>
      <h3>Events</h3>
      <Part of={events} name="events" isEmpty={({ data }) => data.length === 0} empty="Nothing has happened to it.">
        {({ data, nextCursor }) => (
          <>
            <ol class="events">
              {data.map((event) => (
                <li key={event.id}>
                  <strong>{event.action}</strong> <Time at={event.createdAt} />
                  <p class="soft">
                    by {actorOf(event, names)}
                    {event.ip && ` from ${event.ip}`}
                  </p>
                  {event.action !== 'created' && <Changes event={event} />}
                </li>
              ))}
            </ol>
            {nextCursor !== null && limit < mostEvents && (
              <button type="button" onClick={() => setLimit(Math.min(limit * 5, mostEvents))}>
                Show older
              </button>
            )}
          </>
        )}
      </Part>
    </section>
  );
}

function Changes({ event: { action, changes } }: { event: Event }) {
  const entries = Object.entries(changes as Record<string, { from?: unknown; to?: unknown }>);
  const told = entries.filter(([field]) => !untold[action]?.includes(field));
  if (told.length === 0) return null;
  return (
    <ul class="changes">
      {told.map(([field, { from, to }]) => (
        <li key={field}>
          {field}: {textOf(from)} → {textOf(to)}
        </li>
      ))}
    </ul>
  );
}

function actorOf({ actor, actorKeyId }: Event, names: ReadonlyMap<string, string>): string {
  if (actor === 'api-key' && actorKeyId) return `the key “${nameOf(names, actorKeyId)}”`;
  return { cli: 'the command line', service: 'the service', sql: 'SQL in the database' }[actor] ?? actor;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(' ');
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT/.test(text) ? momentOf(new Date(/Z|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`)) : text;
}
