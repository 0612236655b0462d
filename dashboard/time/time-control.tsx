import { useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.js';
import { Field } from '../parts/field.js';
import { momentOf } from '../parts/time.js';
import { queryCache } from '../query-cache.js';
import { serverNow } from '../server-clock.js';
import { choose, hrefWith, replace, urlState } from '../url-state.js';
import { endsOf, type Preset, presets, type TimeRange } from './range.js';
import { isUtc, nameOfZone, textOfTime, timeOfText } from './zone.js';

interface TimeControlProps {
  /** The range that is shown; undefined: any time. */
  range: TimeRange | undefined;
  /** Whether any time can be chosen. */
  canBeAny?: boolean;
  /** Whether the view has a pause button of its own. */
  hasOwnPause?: boolean;
}

/** The range of time, the time zone, and the updates of a view. */
export function TimeControl({ range, canBeAny = false, hasOwnPause = false }: TimeControlProps) {
  const [isChoosing, setIsChoosing] = useState(false);
  const preset = range && 'preset' in range ? range.preset : undefined;
  const fixed = range && !('preset' in range) ? range : undefined;
  const isPaused = urlState.value.params.paused !== undefined;
  const show = (preset: Preset | undefined) => choose({ range: preset, from: undefined, to: undefined });
  return (
    <div class="time-control">
      <fieldset class="segments">
        <legend class="visually-hidden">Time</legend>
        {canBeAny && (
          <button type="button" aria-pressed={range === undefined} onClick={() => show(undefined)}>
            Any time
          </button>
        )}
        {Object.entries(presets).map(([name, { title }]) => (
          <button key={name} type="button" aria-pressed={name === preset} onClick={() => show(name as Preset)}>
            {title}
          </button>
        ))}
        <button type="button" aria-pressed={fixed !== undefined} onClick={() => setIsChoosing(true)}>
          {fixed ? fixedText(fixed, canBeAny) : 'From – to…'}
        </button>
      </fieldset>
      <button
        type="button"
        class="quiet zone"
        title={isUtc.value ? 'Show the time of this browser' : 'Show UTC'}
        onClick={() => choose({ tz: isUtc.value ? undefined : 'utc' })}
      >
        {nameOfZone(new Date(serverNow()))}
      </button>
      {!hasOwnPause && (
        <button
          type="button"
          class="quiet"
          data-shortcut="pause"
          aria-pressed={isPaused}
          onClick={() => replace({ paused: isPaused ? undefined : 'true' })}
        >
          {isPaused ? 'Resume' : 'Pause'}
        </button>
      )}
      <button type="button" class="quiet" onClick={() => void queryCache.refetchQueries({ type: 'active' })}>
        Refresh
      </button>
      <CopyLink range={range} />
      {isChoosing && <ChooseRange range={range} onClose={() => setIsChoosing(false)} />}
    </div>
  );
}

function fixedText({ from, to }: { from: string | undefined; to: string | undefined }, isWholeLog: boolean): string {
  const text = (iso: string) => momentOf(new Date(iso));
  if (!from) return `${isWholeLog ? 'until' : 'the day until'} ${text(to ?? '')}`;
  return to ? `${text(from)} – ${text(to)}` : `since ${text(from)}`;
}

/** Copies the URL of the view with fixed times, so that it shows the same tomorrow. */
function CopyLink({ range }: { range: TimeRange | undefined }) {
  const [outcome, setOutcome] = useState('Copy link');

  async function copy() {
    const ends = range && endsOf(range, serverNow());
    const fixed = ends && {
      range: undefined,
      from: new Date(ends.from).toISOString(),
      to: new Date(ends.to).toISOString(),
    };
    try {
      await navigator.clipboard.writeText(new URL(hrefWith(fixed ?? {}), window.location.href).href);
      setOutcome('Link copied');
    } catch {
      // The clipboard is only available with HTTPS, or on localhost.
      if (fixed) choose(fixed);
      setOutcome('Copy the address');
    }
    window.setTimeout(() => setOutcome('Copy link'), 2_000);
  }

  return (
    <button type="button" class="quiet" aria-live="polite" onClick={copy}>
      {outcome}
    </button>
  );
}

function ChooseRange({ range, onClose }: { range: TimeRange | undefined; onClose: () => void }) {
  const now = new Date(serverNow());
  const ends = endsOf(range ?? { preset: '1h' }, now.getTime());
  const [error, setError] = useState<{ from?: string; to?: string }>({});

  function apply(form: HTMLFormElement) {
    const data = new FormData(form);
    const [fromText, toText] = ['from', 'to'].map((name) => String(data.get(name)).trim());
    const from = fromText ? timeOfText(fromText, now) : undefined;
    const to = toText ? timeOfText(toText, now) : undefined;
    const notUnderstood = 'Write a time such as 2026-01-31 09:30, 2026-01-31 or 09:30.';
    if (fromText && !from) return setError({ from: notUnderstood });
    if (toText && !to) return setError({ to: notUnderstood });
    if (!from && !(to && to < now)) return setError({ from: 'Enter a start, or an end in the past.' });
    if (from && from > now) return setError({ from: 'This time is in the future.' });
    // Typed in the wrong order, the range is still clear.
    const [first, last] = from && to && from > to ? [to, from] : [from, to];
    const isOver = last && last < now;
    choose({ range: undefined, from: first?.toISOString(), to: isOver ? last.toISOString() : undefined });
    onClose();
  }

  return (
    <Dialog title="Range of time" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          apply(event.currentTarget);
        }}
      >
        <Field label="From" hint={`In ${nameOfZone(now)}`} error={error.from}>
          {(attributes) => <input {...attributes} name="from" defaultValue={textOfTime(new Date(ends.from))} />}
        </Field>
        <Field label="To" hint="Empty: now" error={error.to}>
          {(attributes) => (
            <input
              {...attributes}
              name="to"
              defaultValue={range && !('preset' in range) && range.to ? textOfTime(new Date(ends.to)) : ''}
            />
          )}
        </Field>
        <footer>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Apply
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
