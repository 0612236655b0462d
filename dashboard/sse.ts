export interface ServerSentEvent {
  event: string;
  data: string;
}

/**
 * Reads server-sent events. The browser's EventSource is no alternative: it cannot send the key.
 *
 * @param onBytes called whenever bytes arrive, also for a comment
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export async function* eventsOf(body: ReadableStream<Uint8Array>, onBytes = () => {}): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes();
    text += decoder.decode(value, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    yield* blocks.map(eventOf).filter(({ data }) => data !== '');
  }
}

function eventOf(block: string): ServerSentEvent {
  const result = { event: 'message', data: '' };
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^(event|data): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') result.event = value;
    if (field === 'data') result.data += value;
  }
  return result;
}
