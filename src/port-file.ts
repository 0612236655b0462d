import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const pathIn = (dataDir: string) => join(dataDir, 'port');

/** Writes the port of the service next to its embedded database, for commands that find the database in use. */
export async function writePort(dataDir: string, port: number): Promise<void> {
  await writeFile(pathIn(dataDir), `${port}\n`);
}

/** @returns undefined when no service has used the directory, or the file cannot be read */
export function readPort(dataDir: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(pathIn(dataDir), 'utf8'), 10) || undefined;
  } catch {
    return undefined;
  }
}
