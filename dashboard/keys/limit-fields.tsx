import { formatLimits, type Limit, limitsHint, parseLimits } from '../../plugins/limits/limit.js';
import { parseQuota, type Quota, quotaHint } from '../../plugins/limits/quota.js';
import { Field } from '../parts/field.js';
import { FieldError, type FormErrors } from './form-errors.js';

/** The fields of limits, by their names in the API. */
export const limitFieldNames = ['rateLimits', 'quota'] as const;

interface LimitFieldsProps {
  errors: FormErrors['fields'];
  /** The current limits; undefined for a new key. */
  of?: { rateLimits: readonly Limit[]; quota: Quota | null } | undefined;
  /** What applies without limits. */
  empty: string;
}

export function LimitFields({ errors, of, empty }: LimitFieldsProps) {
  const code = { autocomplete: 'off', autocapitalize: 'off', spellcheck: false } as const;
  return (
    <>
      <Field
        label="Limits"
        hint={`Requests in a window of seconds, minutes, hours or days, such as 10/1s 600/1m. All apply. Empty: ${empty}.`}
        error={errors.rateLimits}
      >
        {(attributes) => (
          <input {...attributes} {...code} name="rateLimits" defaultValue={formatLimits(of?.rateLimits ?? [])} />
        )}
      </Field>
      <Field
        label="Quota"
        hint="Requests in a calendar day or month, such as 100000/month. Empty: none."
        error={errors.quota}
      >
        {(attributes) => (
          <input
            {...attributes}
            {...code}
            name="quota"
            defaultValue={of?.quota ? `${of.quota.limit}/${of.quota.period}` : ''}
          />
        )}
      </Field>
      {of?.quota && (
        <label class="check">
          <input type="checkbox" name="resetQuota" /> Reset the quota to zero
        </label>
      )}
    </>
  );
}

/** Converts the form to the fields of a request. @throws FieldError */
export function limitFieldsOf(form: FormData): { rateLimits: Limit[]; quota: Quota | null } {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  const rateLimits = parseLimits(text('rateLimits'));
  if (rateLimits === undefined) throw new FieldError('rateLimits', `must be ${limitsHint}`);
  const quota = text('quota') === '' ? null : parseQuota(text('quota'));
  if (quota === undefined) throw new FieldError('quota', `must be ${quotaHint}`);
  return { rateLimits, quota };
}

/** The field of a request that resets the quota, if it is checked. */
export function quotaResetOf(form: FormData): { resetQuota?: true } {
  return form.get('resetQuota') === null ? {} : { resetQuota: true };
}
