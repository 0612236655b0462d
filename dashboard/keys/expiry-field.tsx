import { useState } from 'preact/hooks';
import { Field } from '../parts/field.js';
import { serverNow } from '../server-clock.js';
import { nameOfZone, timeOfText } from '../time/zone.js';
import { textOf } from './key-fields.js';

const dayMs = 86_400_000;
const lifetimes = { '': 'Never', 30: 'In 30 days', 90: 'In 90 days', 365: 'In a year', date: 'On a date…' } as const;

interface ExpiryFieldProps {
  error?: string | undefined;
  /** Adds an option that leaves the expiry unchanged. */
  canKeep?: boolean;
}

export function ExpiryField({ error = '', canKeep = false }: ExpiryFieldProps) {
  const [lifetime, setLifetime] = useState(canKeep ? 'keep' : '');
  return (
    <div class="form-row">
      <Field label="Expires" error={lifetime === 'date' ? '' : error}>
        {(attributes) => (
          <select
            {...attributes}
            name="lifetime"
            value={lifetime}
            onChange={(event) => setLifetime(event.currentTarget.value)}
          >
            {canKeep && <option value="keep">Keep the current expiry</option>}
            {Object.entries(lifetimes).map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        )}
      </Field>
      {lifetime === 'date' && (
        <Field label="Date and time" hint={`In ${nameOfZone(new Date(serverNow()))}`} error={error}>
          {(attributes) => <input {...attributes} name="date" type="datetime-local" />}
        </Field>
      )}
    </div>
  );
}

/** @returns the time in ISO 8601, or the text as typed when it is none, so that the service reports it; null: never; undefined: unchanged */
export function expiryOf(form: FormData): string | null | undefined {
  const [lifetime, date] = [textOf(form, 'lifetime'), textOf(form, 'date')];
  if (lifetime === 'keep') return undefined;
  if (lifetime === '') return null;
  const moment =
    lifetime === 'date' ? timeOfText(date, new Date(serverNow())) : new Date(serverNow() + Number(lifetime) * dayMs);
  return moment?.toISOString() ?? date;
}
