/** The result of a check. */
export interface Finding {
  state: 'ok' | 'warning' | 'failed';
  /** What was found, and what to do about it. */
  text: string;
}

/** @throws any error, which fails the check */
export type Check = () => Promise<Finding>;

export const ok = (text: string): Finding => ({ state: 'ok', text });
export const warning = (text: string): Finding => ({ state: 'warning', text });
export const failed = (text: string): Finding => ({ state: 'failed', text });
