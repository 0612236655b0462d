import { readFileSync } from 'node:fs';
import { ConfigError } from './error.js';

/** Variables with secrets that can be in a file, such as a mounted secret: `DATABASE_URL_FILE` names the file of `DATABASE_URL`. */
const fileVariables = ['DATABASE_URL', 'REDIS_URL', 'REQUEST_LOG_URL', 'BOOTSTRAP_ADMIN_KEY'];

/**
 * Merges the variables of `.env` and of the process, which take precedence, and reads those that are in files.
 *
 * @throws ConfigError when a file cannot be read or is empty, or when the same source sets a variable and its file
 */
export function mergedVariables(ofDotenv: NodeJS.ProcessEnv, ofProcess: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const overridden = fileVariables.filter((name) => ofProcess[name] !== undefined || ofProcess[`${name}_FILE`]);
  const names = new Set(overridden.flatMap((name) => [name, `${name}_FILE`]));
  const kept = Object.fromEntries(Object.entries(ofDotenv).filter(([name]) => !names.has(name)));
  return withFiles({ ...kept, ...ofProcess });
}

/** Adds the variables that are in files, without white space around the content. */
function withFiles(variables: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const contents: NodeJS.ProcessEnv = {};
  for (const name of fileVariables) {
    const path = variables[`${name}_FILE`];
    if (!path) continue;
    if (variables[name]) throw new ConfigError(`${name} and ${name}_FILE are both set: unset one of them`);
    contents[name] = contentOf(`${name}_FILE`, path);
  }
  return { ...variables, ...contents };
}

function contentOf(name: string, path: string): string {
  let content: string;
  try {
    content = readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Without the path: by mistake it can be the secret itself.
    throw new ConfigError(`${name}: the file cannot be read (${code}): check its path and its permissions`);
  }
  if (content === '') throw new ConfigError(`${name}: the file is empty: write the value into it`);
  return content;
}
