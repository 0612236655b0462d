import type { ComponentChildren } from 'preact';
import type { RequestWithTrace } from '../../routes/request-logs.js';
import { get } from '../api.js';
import { nameOf } from '../key-names.js';
import { Copy } from '../parts/copy.js';
import { Dialog } from '../parts/dialog.js';
import { KeyLink, Link, OwnerLink } from '../parts/links.js';
import { duration } from '../parts/numbers.js';
import { Part } from '../parts/part.js';
import { statusClass } from '../parts/status.js';
import { momentOf } from '../parts/time.js';
import { useQuery } from '../query-cache.js';
import { routeParam, routeTitle } from '../route.js';
import { type Choice, choose, hrefWith } from '../url-state.js';
import { sameAgent } from './filter.js';
import type { Entry } from './request-list.js';

interface DetailsProps {
  id: string;
  /** The entry from the list; undefined after following a link. */
  known: Entry | undefined;
  keyNames: ReadonlyMap<string, string>;
}

/** All fields of a request. */
export function RequestDetails({ id, known, keyNames }: DetailsProps) {
  const load = async (signal: AbortSignal) =>
    known ?? get<Entry>(`/v1/request-logs/${encodeURIComponent(id)}`, {}, signal);
  const loaded = useQuery(['requests', 'request', id], load, null);
  return (
    <Dialog title="Request" placement="side" onClose={() => choose({ request: undefined })}>
      <Part of={loaded} name="the request">
        {(entry) => (
          <dl class="fields">
            <Field name="Id">
              <code>{entry.id}</code> <Copy text={entry.id} label="Copy the id" />
            </Field>
            <Field name="Time">
              {momentOf(new Date(entry.createdAt))} <span class="soft">{entry.createdAt}</span>
            </Field>
            <Field name="Method" only={{ method: entry.method }}>
              {entry.method}
            </Field>
            <Field name="Path" only={{ path: entry.path }}>
              <code>{entry.path}</code>
            </Field>
            {entry.route !== null && (
              <Field name="Route" only={{ route: routeParam(entry.route) }}>
                {entry.route ? <code>{entry.route}</code> : <span class="soft">{routeTitle(entry.route)}</span>}
              </Field>
            )}
            <Field name="Status" only={{ statusCode: String(entry.statusCode) }}>
              <span class={`dot ${statusClass(entry.statusCode)}`} />
              {entry.statusCode}
              {entry.statusCode === 499 && <span class="soft"> the client disconnected before the response</span>}
            </Field>
            <Field name="Duration" only={{ minDuration: String(entry.duration) }} onlyText="At least as slow">
              {duration(entry.duration)}
            </Field>
            <Field name="Key" only={entry.apiKeyId ? { apiKeyId: entry.apiKeyId } : undefined}>
              {entry.apiKeyId ? (
                <>
                  <KeyLink id={entry.apiKeyId}>{nameOf(keyNames, entry.apiKeyId)}</KeyLink>{' '}
                  <code class="soft">{entry.apiKeyId}</code>
                </>
              ) : (
                <span class="soft">none</span>
              )}
            </Field>
            {entry.outcome !== null && <Field name="Outcome">{entry.outcome}</Field>}
            {entry.ownerId !== null && (
              <Field name="Owner" only={{ ownerId: entry.ownerId }}>
                <OwnerLink id={entry.ownerId} />
              </Field>
            )}
            {entry.verifiedApiKeyId !== null && (
              <Field name="Verified key" only={{ verifiedApiKeyId: entry.verifiedApiKeyId }}>
                <KeyLink id={entry.verifiedApiKeyId}>{nameOf(keyNames, entry.verifiedApiKeyId)}</KeyLink>{' '}
                <code class="soft">{entry.verifiedApiKeyId}</code>
              </Field>
            )}
            {entry.verification && (
              <Field name="Verified for">
                <code>{JSON.stringify(entry.verification)}</code>
              </Field>
            )}
            {entry.traceId !== null && (
              <Field name="Trace" only={{ traceId: entry.traceId }}>
                <Trace of={entry} />
              </Field>
            )}
            <Field name="Address" only={{ ip: entry.ip }}>
              {entry.ip}
            </Field>
            <Field name="User agent" only={sameAgent(entry.userAgent, entry.createdAt)}>
              {entry.userAgent ?? <span class="soft">none</span>}
            </Field>
          </dl>
        )}
      </Part>
    </Dialog>
  );
}

/** The id of the trace, with a link to it where TRACE_URL is set. */
function Trace({ of: { id, traceId } }: { of: Entry }) {
  const { data } = useQuery(
    ['requests', 'trace', id],
    (signal) => get<RequestWithTrace>(`/v1/request-logs/${encodeURIComponent(id)}`, {}, signal),
    null,
  );
  const text = traceId ?? '';
  return (
    <>
      {data?.traceUrl ? (
        <a href={data.traceUrl} target="_blank" rel="noopener noreferrer">
          <code>{text}</code>
        </a>
      ) : (
        <code>{text}</code>
      )}{' '}
      <Copy text={text} label="Copy the trace" />
    </>
  );
}

interface FieldProps {
  name: string;
  /** The filter for requests with the same value. */
  only?: Choice | undefined;
  onlyText?: string;
  children: ComponentChildren;
}

function Field({ name, only, onlyText = 'Only these', children }: FieldProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span>{children}</span>
        {only && (
          <Link class="small" label={`${onlyText}: ${name}`} href={hrefWith({ ...only, request: undefined })}>
            {onlyText}
          </Link>
        )}
      </dd>
    </div>
  );
}
