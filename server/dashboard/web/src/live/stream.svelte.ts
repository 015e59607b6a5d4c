// The live stream: the server tells which answers have changed.
type Listener = (topics: string[] | 'all') => void;

const listeners = new Set<Listener>();

class Live {
  /** live: changes arrive as they happen; otherwise what is shown is of since. */
  state: 'live' | 'reconnecting' | 'stale' = $state('reconnecting');
  since: Date = $state.raw(new Date());
}

export const live = new Live();

/** Calls f with the topics that have changed, or 'all'. Gives what ends that. */
export function onTopics(f: Listener): () => void {
  listeners.add(f);
  return () => listeners.delete(f);
}

function tell(topics: string[] | 'all') {
  for (const f of listeners) f(topics);
}

function become(state: Live['state']) {
  if (state === live.state) return;
  live.state = state;
  live.since = new Date();
}

let source: EventSource | undefined;

/** Begins to listen, as who is signed in. */
export function connect(): void {
  if (source) return;
  source = new EventSource('/v1/live');
  source.addEventListener('hello', () => become('live'));
  source.addEventListener('reset', () => tell('all'));
  for (const kind of ['changed', 'counted']) {
    source.addEventListener(kind, (e) => tell((JSON.parse(e.data as string) as { topics: string[] }).topics));
  }
  source.onerror = () => become(source?.readyState === EventSource.CLOSED ? 'stale' : 'reconnecting');
}

/** Stops listening. */
export function disconnect(): void {
  source?.close();
  source = undefined;
  become('reconnecting');
}
