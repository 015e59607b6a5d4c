// Server-sent events over fetch: EventSource tells neither why it was refused
// nor that a heartbeat came, and both matter here.

/** One event; a comment is a heartbeat and none. */
export interface Event {
  name: string;
  /** Of the stream; undefined if the event has none of its own. */
  id?: string;
  data: string;
}

/** What a stream says, as it comes. */
export interface Sink {
  /** Bytes came, of whatever kind. */
  alive(): void;
  event(e: Event): void;
  /** When to come back, in ms. */
  retry(ms: number): void;
}

/** The longest line that is kept, in characters: a topic list is far shorter. */
const longest = 1 << 20;

/** Takes text in pieces of any size and hands over what is in it. */
export function parser(sink: Sink): (text: string) => void {
  let rest = '';
  let name = '';
  let id: string | undefined;
  let data: string[] = [];
  const line = (l: string) => {
    if (l === '') {
      if (data.length > 0) sink.event({ name: name || 'message', id, data: data.join('\n') });
      name = '';
      id = undefined;
      data = [];
      return;
    }
    const [field, value] = split(l);
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
    else if (field === 'retry' && /^\d{1,7}$/.test(value)) sink.retry(Number(value));
  };
  return (text) => {
    const lines = (rest + text).split(/\r\n|\r|\n/);
    rest = lines.pop()!;
    if (rest.length > longest) throw new Error('a line of the live stream has no end');
    for (const l of lines) line(l);
  };
}

function split(l: string): [string, string] {
  const colon = l.indexOf(':');
  if (colon < 0) return [l, ''];
  const value = l.slice(colon + 1);
  return [l.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value];
}

/** Reads a stream to its end; rejects where the network or the signal ends it. */
export async function read(body: ReadableStream<Uint8Array>, sink: Sink): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const take = parser(sink);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    sink.alive();
    take(decoder.decode(value, { stream: true }));
  }
}
