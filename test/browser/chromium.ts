import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

// The shell is the same browser without the parts that nobody sees, and takes half the time.
const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const candidates = process.env.CHROMIUM_PATH
  ? [process.env.CHROMIUM_PATH]
  : (process.env.PATH ?? '').split(':').flatMap((directory) => names.map((name) => join(directory, name)));

/** Where this machine's Chromium or Chrome is; undefined where there is none. `CHROMIUM_PATH` names another. */
export const chromiumPath = candidates.find(isExecutable);

/** @throws when this machine has none */
export function launchChromium() {
  if (chromiumPath === undefined) throw new Error('there is no Chromium on PATH, nor at CHROMIUM_PATH');
  return chromium.launch({
    executablePath: chromiumPath,
    // It refuses to sandbox for root, as which containers run.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--disable-dev-shm-usage', '--disable-gpu'],
  });
}

function isExecutable(file: string) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
