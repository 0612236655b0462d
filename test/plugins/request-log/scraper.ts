import type { Test } from 'tap';

const everyMs = 100;

/** What `/metrics` says of the request log at one moment. */
export interface Scrape {
  accepted: number;
  written: number;
  dropped: number;
  buffered: number;
  spooled: number;
  /** Resident memory. */
  bytes: number;
}

export async function scrape(url: string): Promise<Scrape> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (series: string) => {
    const line = text.split('\n').find((line) => line.startsWith(`${series} `));
    return Number(line?.slice(series.length + 1));
  };
  const fate = (name: string) => value(`musicez_request_log_records_total{fate="${name}"}`);
  return {
    accepted: fate('accepted'),
    written: fate('written'),
    dropped: fate('dropped'),
    buffered: value('musicez_request_log_buffered_records'),
    spooled: value('musicez_request_log_spooled_records'),
    bytes: value('process_resident_memory_bytes'),
  };
}

/** Scrapes ten times a second until it is stopped, and fails the test when the sum is not right. */
export function keepScraping(t: Test, url: string) {
  const seen: Scrape[] = [];
  let isStopped = false;
  const running = (async () => {
    while (!isStopped) {
      const now = await scrape(url);
      seen.push(now);
      if (now.accepted !== now.written + now.buffered + now.spooled + now.dropped) t.fail(JSON.stringify(now));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  const stop = async () => {
    isStopped = true;
    await running;
    return seen;
  };
  t.teardown(stop);
  return { seen, stop };
}

/** Waits until nothing is in memory or in the spool. */
export async function untilWritten(url: string): Promise<Scrape> {
  for (;;) {
    const now = await scrape(url);
    if (now.buffered + now.spooled === 0) return now;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
