import { useState } from 'preact/hooks';
import type { Limit } from '../../plugins/limits/limit.js';
import type { Quota } from '../../plugins/limits/quota.js';
import type { ApiKeyEvent } from '../../routes/api-key-fields.js';
import { get, type Page, type Query, type Wire } from '../api.js';
import { nameOf, useKeyNames } from '../key-names.js';
import { limitText, quotaText } from '../parts/limits.js';
import { KeyLink } from '../parts/links.js';
import { Part } from '../parts/part.js';
import { momentOf, Time } from '../parts/time.js';
import { useQuery } from '../query-cache.js';

type Event = Wire<ApiKeyEvent>;
const initialLimit = 20;
const maxEvents = 500;
const refreshMs = 15_000;
const titles: Record<string, string> = {
  'owner-limits': 'limits of the owner',
  'quota-80': '80% of the quota used',
  'quota-100': 'quota used up',
};
/** Fields that an event does not show, because its action implies them. */
const hiddenFields: Record<string, string[]> = { disabled: ['active'], enabled: ['active'], rotated: ['replacedBy'] };

/** The events of a key, newest first, also of a deleted one. */
export function Events({ keyId }: { keyId: string }) {
  return <EventList path={`/v1/api-keys/${encodeURIComponent(keyId)}/events`} />;
}

/** The events of all keys, or of those of an owner, newest first. */
export function AllEvents({ ownerId }: { ownerId: string | undefined }) {
  return (
    <section class="panel">
      <EventList path="/v1/events" query={{ ownerId }} showsKeys />
    </section>
  );
}

interface EventListProps {
  path: string;
  query?: Query;
  /** Whether the events are of several keys. */
  showsKeys?: boolean;
}

function EventList({ path, query = {}, showsKeys = false }: EventListProps) {
  const [limit, setLimit] = useState(initialLimit);
  const events = useQuery(
    ['keys', 'events', path, query, limit],
    (signal) => get<Page<ApiKeyEvent>>(path, { ...query, limit }, signal),
    refreshMs,
  );
  const names = useKeyNames(events.data?.data.flatMap(({ apiKeyId, actorKeyId }) => [apiKeyId, actorKeyId]));
  return (
    <section>
      {showsKeys ? <h2>Events</h2> : <h3>Events</h3>}
      <Part of={events} name="events" isEmpty={({ data }) => data.length === 0} empty="No events.">
        {({ data, nextCursor }) => (
          <>
            <ol class="events">
              {data.map((event) => (
                <li key={event.id}>
                  <strong>{titles[event.action] ?? event.action}</strong> <Time at={event.createdAt} />
                  <p class="soft">
                    {showsKeys && event.apiKeyId && (
                      <>
                        <KeyLink id={event.apiKeyId}>
                          “<bdi>{keyNameOf(event.apiKeyId, event, names)}</bdi>”
                        </KeyLink>
                        ,{' '}
                      </>
                    )}
                    by <Actor of={event} names={names} />
                    {event.ip && ` from ${event.ip}`}
                  </p>
                  {event.action !== 'created' && <Changes event={event} />}
                </li>
              ))}
            </ol>
            {nextCursor !== null && limit < maxEvents && (
              <button type="button" onClick={() => setLimit(Math.min(limit * 5, maxEvents))}>
                Show older
              </button>
            )}
          </>
        )}
      </Part>
    </section>
  );
}

/** The name of the key; of a deleted one from the event. */
function keyNameOf(apiKeyId: string, { changes }: Event, names: ReadonlyMap<string, string>): string {
  const { name } = changes as { name?: { from?: unknown; to?: unknown } };
  return names.has(apiKeyId) ? nameOf(names, apiKeyId) : String(name?.to ?? name?.from ?? apiKeyId);
}

function Changes({ event: { action, changes } }: { event: Event }) {
  const entries = Object.entries(changes as Record<string, { from?: unknown; to?: unknown }>);
  const shown = entries.filter(([field]) => !hiddenFields[action]?.includes(field));
  if (shown.length === 0) return null;
  return (
    <ul class="changes">
      {shown.map(([field, { from, to }]) => (
        <li key={field}>
          {field}: {textOf(from)} → {textOf(to)}
        </li>
      ))}
    </ul>
  );
}

function Actor({ of: { actor, actorKeyId }, names }: { of: Event; names: ReadonlyMap<string, string> }) {
  if (actor === 'api-key' && actorKeyId)
    return (
      <>
        the key{' '}
        <KeyLink id={actorKeyId}>
          “<bdi>{nameOf(names, actorKeyId)}</bdi>”
        </KeyLink>
      </>
    );
  return <>{{ cli: 'the command line', service: 'the service', sql: 'SQL in the database' }[actor] ?? actor}</>;
}

/** A limit, a quota or metadata. */
function objectText(value: object): string {
  if ('windowSeconds' in value) return limitText(value as Limit);
  return 'period' in value ? quotaText(value as Quota) : JSON.stringify(value);
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(textOf).join(' ');
  if (typeof value === 'object') return objectText(value);
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT/.test(text) ? momentOf(new Date(/Z|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`)) : text;
}
