// The live stream: the server tells which answers have changed. What was missed
// while the network, this machine or the server was away is told afterwards, by
// the number of the last event (Last-Event-ID).
import { caller } from '../api/client';
import { session } from '../api/session.svelte';
import { read, type Event } from './sse';
import { join, type Tab, type Word } from './tabs';

/** The server says something every 15 s: without a byte for so long, in ms, what is shown may be old. */
const silence = 35_000;
/** A heartbeat that is overdue after a jump of the clock, as after sleep, in ms. */
const overdue = 20_000;
const jump = 10_000;
/** Between two tries, in ms. */
const [firstWait, longestWait] = [500, 15_000];

type Listener = (topics: string[] | 'all') => void;
type State = 'live' | 'reconnecting' | 'stale';

class Live {
  /** live: changes arrive as they happen; otherwise what is shown is of since. */
  state: State = $state('reconnecting');
  since: Date = $state.raw(new Date());
}

export const live = new Live();

const listeners = new Set<Listener>();

/** Calls f with the topics that have changed, or 'all'. Gives what ends that. */
export function onTopics(f: Listener): () => void {
  listeners.add(f);
  return () => listeners.delete(f);
}

function tell(topics: string[] | 'all') {
  for (const f of listeners) f(topics);
}

let lastID: string | undefined; // of the last event that this tab or the one that reads has heard
let heard = 0; // when anything came, by the clock of the day
let begun = 0; // when the last try to connect began, by the same
let greeted = false; // this page has been live
let stop: AbortController | undefined; // of connect
let once: AbortController | undefined; // of one connection
let leading = false;
let tab: Tab | undefined;
let hurry: () => void = () => undefined; // ends a wait

/** Begins to listen, as who is signed in. */
export function connect(): void {
  if (stop) return;
  const s = (stop = new AbortController());
  lastID = undefined;
  greeted = false;
  heard = Date.now();
  live.since = new Date();
  tab = join({ session: session.caller?.id ?? '', hear, lead, signal: s.signal });
  watch(s.signal);
}

/** Stops listening. */
export function disconnect(): void {
  stop?.abort();
  stop = undefined;
  tab = undefined;
  become('reconnecting');
}

function become(state: State, since = new Date()) {
  if (state === live.state) return;
  if (state !== 'live' && live.state !== 'live') since = live.since; // what is shown has been old since then
  live.state = state;
  live.since = since;
  if (leading) tab?.say({ kind: 'state', state, since: since.getTime(), id: lastID });
}

// What was asked for before the first greeting may have changed meanwhile.
function greet() {
  become('live');
  if (!greeted) tell('all');
  greeted = true;
}

/** What the tab that reads says; or another, to the one that reads. */
function hear(w: Word) {
  if (w.kind === 'ask') {
    if (leading) tab?.say({ kind: 'state', state: live.state, since: live.since.getTime(), id: lastID });
    return;
  }
  if (leading) return;
  heard = Date.now();
  if (w.kind === 'state') {
    if (w.state === 'live') caughtUp(w.id);
    else become(w.state, new Date(w.since));
    return;
  }
  if (w.kind === 'topics') {
    lastID = w.id ?? lastID;
    tell(w.topics);
  }
  // Whoever reads may have been live all the time that nothing was heard of it.
  if (live.state !== 'live') tab?.say({ kind: 'ask' });
}

// The tab that reads is live at an event. Which of them were told this tab has
// heard as well, but those that came while no tab read: one that is new begins
// without the place of the one before.
function caughtUp(id: string | undefined) {
  const missed = greeted && id !== undefined && id !== lastID;
  lastID = id ?? lastID;
  greet();
  if (missed) tell('all');
}

/** Reads for all tabs, connecting again until the signal ends. */
async function lead(signal: AbortSignal): Promise<void> {
  leading = true;
  signal.addEventListener('abort', () => (leading = false), { once: true });
  let wait = firstWait;
  while (!signal.aborted) {
    let asked: number | undefined;
    const before = heard;
    try {
      asked = await connection(signal);
    } catch {
      // The network, or the watch, ended it: what matters is that it is over.
    }
    if (signal.aborted) return;
    if (heard > before) wait = firstWait;
    if (live.state === 'live') become('reconnecting', new Date(heard));
    await pause(asked ?? wait / 2 + (Math.random() * wait) / 2, signal);
    wait = Math.min(2 * wait, longestWait);
  }
}

/** One connection, to its end. Gives how long to wait, in ms, if the server says so. */
async function connection(signal: AbortSignal): Promise<number | undefined> {
  const mine = (once = new AbortController());
  begun = Date.now();
  const end = () => mine.abort();
  signal.addEventListener('abort', end, { once: true });
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (lastID !== undefined) headers['Last-Event-ID'] = lastID;
    const r = await fetch('/v1/live', { headers, signal: mine.signal, cache: 'no-store', credentials: 'same-origin', redirect: 'error' });
    if (!r.ok || !r.body) return refused(r);
    let retry: number | undefined;
    await read(r.body, { alive, event: take, retry: (ms) => (retry = ms) });
    return retry;
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

// A server that answers is there: what is shown is asked for every 15 s then.
function refused(r: Response): number {
  heard = Date.now();
  tab?.say({ kind: 'beat' });
  if (r.status === 401) caller.lost();
  if (live.state === 'stale') become('reconnecting');
  const after = Number(r.headers.get('Retry-After'));
  return after > 0 ? Math.min(after, 60) * 1000 : longestWait;
}

function alive() {
  heard = Date.now();
  tab?.say({ kind: 'beat' });
}

function take(e: Event) {
  lastID = e.id ?? lastID;
  if (e.name === 'hello') {
    greet();
    return;
  }
  if (!['changed', 'counted', 'reset'].includes(e.name)) return;
  const topics = e.name === 'reset' ? 'all' : (JSON.parse(e.data) as { topics: string[] }).topics;
  tab?.say({ kind: 'topics', topics, id: lastID });
  tell(topics);
}

/** Notices silence, sleep and a network that is back. */
function watch(signal: AbortSignal) {
  let last = Date.now();
  const look = () => {
    const now = Date.now();
    if (now < last) [heard, begun] = [Math.min(heard, now), Math.min(begun, now)]; // the clock was set back
    const woken = now - last > jump && now - heard > overdue;
    last = now;
    const silent = now - heard > silence;
    if (silent) become('stale', new Date(heard));
    if (leading) {
      if (woken || (silent && now - begun > silence)) once?.abort();
      if (woken) hurry();
    } else if (silent && document.visibilityState === 'visible') {
      heard = now; // gives the stream its time
      tab?.take();
    }
  };
  const timer = setInterval(look, 1000);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  document.addEventListener('visibilitychange', look, { signal });
  window.addEventListener('pageshow', look, { signal });
  window.addEventListener('online', () => hurry(), { signal });
  // A page that is left may be kept as it is, frozen: it may not hold the stream
  // of the other tabs meanwhile.
  const left = () => {
    disconnect();
    window.addEventListener('pageshow', connect, { once: true });
  };
  window.addEventListener('pagehide', left, { signal });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(end, ms);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      hurry = () => undefined;
      done();
    }
    hurry = end;
    signal.addEventListener('abort', end, { once: true });
  });
}
