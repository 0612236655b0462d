import type { Test } from 'tap';

const intervalMs = 100;

/** The metrics of the request log at one time. */
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

/** Scrapes ten times a second until it is stopped, and fails the test if the counts do not add up. */
export function keepScraping(t: Test, url: string) {
  const samples: Scrape[] = [];
  let isStopped = false;
  const running = (async () => {
    while (!isStopped) {
      const now = await scrape(url);
      samples.push(now);
      if (now.accepted !== now.written + now.buffered + now.spooled + now.dropped) t.fail(JSON.stringify(now));
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
  })();
  const stop = async () => {
    isStopped = true;
    await running;
    return samples;
  };
  t.teardown(stop);
  return { samples, stop };
}

/** Waits until no record is in the buffer or in the spool. */
export async function untilWritten(url: string): Promise<Scrape> {
  for (;;) {
    const now = await scrape(url);
    if (now.buffered + now.spooled === 0) return now;
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
