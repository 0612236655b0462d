import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

// The headless shell starts in half the time of the full browser.
const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const candidates = process.env.CHROMIUM_PATH
  ? [process.env.CHROMIUM_PATH]
  : (process.env.PATH ?? '').split(':').flatMap((directory) => names.map((name) => join(directory, name)));

/** The path of Chromium or Chrome; undefined if none is found. `CHROMIUM_PATH` overrides it. */
export const chromiumPath = candidates.find(isExecutable);

/** @throws if no browser is found */
export function launchChromium() {
  if (chromiumPath === undefined) throw new Error('no Chromium on PATH; install it or set CHROMIUM_PATH');
  return chromium.launch({
    executablePath: chromiumPath,
    // Chromium cannot use its sandbox as root, which is the user in containers.
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
