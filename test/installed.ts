import { execFileSync } from 'node:child_process';

/** Whether a program is installed. @param args with which it ends at once, without an error */
export function isInstalled(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', ...(env && { env }) });
    return true;
  } catch {
    return false;
  }
}
