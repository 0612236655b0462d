import { useState } from 'preact/hooks';
import type { OwnerLimits as Limits } from '../../routes/owner-limits.js';
import { get, requestJson, type Wire } from '../api.js';
import { Fact, Facts } from '../parts/facts.js';
import { limitText } from '../parts/limits.js';
import { Part } from '../parts/part.js';
import { useQuery } from '../query-cache.js';
import { ActionForm } from './action-form.js';
import { LimitFields, limitFieldNames, limitFieldsOf, quotaResetOf } from './limit-fields.js';
import { QuotaFact } from './limits-panel.js';

const refreshMs = 15_000;

/** The limits for all keys of an owner together, and a form to change them. */
export function OwnerLimits({ ownerId }: { ownerId: string }) {
  const path = `/v1/owners/${encodeURIComponent(ownerId)}/limits`;
  const [isChanging, setIsChanging] = useState(false);
  const loaded = useQuery(['keys', 'owner-limits', ownerId], (signal) => get<Limits>(path, {}, signal), refreshMs);

  return (
    <section class="limits">
      <h3>Limits for all keys together</h3>
      <Part of={loaded} name="the limits">
        {(limits) => (
          <>
            <LimitFacts of={limits} />
            <div class="buttons start">
              <button type="button" onClick={() => setIsChanging(true)}>
                Change limits…
              </button>
            </div>
            {isChanging && (
              <ChangeLimits
                path={path}
                of={limits}
                onClose={() => setIsChanging(false)}
                onDone={() => {
                  setIsChanging(false);
                  loaded.refresh();
                }}
              />
            )}
          </>
        )}
      </Part>
    </section>
  );
}

function LimitFacts({ of: { rateLimits, quota } }: { of: Wire<Limits> }) {
  if (rateLimits.length === 0 && quota === null) return <p class="soft">None.</p>;
  return (
    <Facts>
      {rateLimits.map((limit) => (
        <Fact key={limit.name} name={limit.name}>
          {limitText(limit)}
        </Fact>
      ))}
      {quota && <QuotaFact title="Quota" of={quota} />}
    </Facts>
  );
}

interface ChangeLimitsProps {
  path: string;
  of: Wire<Limits>;
  onClose: () => void;
  onDone: () => void;
}

function ChangeLimits({ path, of, onClose, onDone }: ChangeLimitsProps) {
  async function change(form: FormData) {
    const body = { ...limitFieldsOf(form), ...quotaResetOf(form) };
    await requestJson<Limits>('PUT', path, { body });
    onDone();
  }

  return (
    <ActionForm
      title={`Limits of ${of.ownerId}`}
      verb={['Save', 'Saving…']}
      fields={limitFieldNames}
      act={change}
      onClose={onClose}
    >
      {({ fields }) => <LimitFields errors={fields} of={of} empty="none" />}
    </ActionForm>
  );
}
