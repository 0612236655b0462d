/** A performance target and whether the run met it. */
export interface TargetResult {
  /** In words, with the measured figures. */
  target: string;
  /** `not checked`: the target requires PostgreSQL or wrk, and this run used something else. */
  outcome: 'met' | 'missed' | 'not checked';
  /** Whether a miss always fails the run; otherwise only with `--check`. */
  isRequired: boolean;
}
