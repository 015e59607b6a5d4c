// Answers of the server, kept by their paths and asked for again when the live
// stream says that they have changed. Old data stays on the page meanwhile.
import { untrack } from 'svelte';
import { get, ProblemError } from '../api/client';
import { beat } from './beat';
import { onTopics, live } from './stream.svelte';

/** What an answer may be kept for after nobody looks at it, in answers. */
const kept = 50;
/** An answer that is looked at anew is asked for again if it is older, in ms. */
const fresh = 3_000;
/** Without the live stream answers are asked for this often, in ms. */
const poll = 15_000;
const longestWait = 30_000;

class Entry {
  readonly path: string;
  data: unknown = $state.raw();
  error: ProblemError | undefined = $state.raw();
  loading = $state(false);
  at: Date | undefined = $state.raw();
  etag: string | undefined = $state.raw();

  #watchers = 0;
  #left = false;
  #topics = new Set<string>();
  #running: AbortController | undefined;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fails = 0;

  constructor(path: string) {
    this.path = path;
  }

  get watched() {
    return this.#watchers > 0;
  }

  /** It was looked at, and is not any more. */
  get left() {
    return this.#left;
  }

  /** Adds to what this answer is about. */
  about(topics: string[]) {
    for (const t of topics) this.#topics.add(t);
  }

  watch(): () => void {
    this.#watchers++;
    this.#left = false;
    if (!this.at || Date.now() - this.at.getTime() > fresh) this.ask();
    else this.#later();
    return () => {
      if (--this.#watchers > 0) return;
      this.#left = true;
      clearTimeout(this.#timer);
      if (this.#running) this.at = undefined; // what was asked for anew has not come
      this.#running?.abort();
      this.#running = undefined;
      this.#again = false;
      this.loading = false;
    };
  }

  /** Hears which topics have changed. */
  hear(topics: string[] | 'all') {
    if (topics !== 'all' && !topics.some((t) => this.#concerns(t))) return;
    if (this.watched) this.ask();
    else this.at = undefined;
  }

  #concerns(topic: string): boolean {
    return this.#topics.has(topic) || [...this.#topics].some((t) => t.endsWith('/*') && topic.startsWith(t.slice(0, -1)));
  }

  /** Asks now, or once more after the answer that is under way. */
  ask() {
    if (this.#running) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    const stop = (this.#running = new AbortController());
    this.loading = true;
    get(this.path, stop.signal).then(
      (got) => this.#settle(stop, () => this.#take(got)),
      (e: unknown) => this.#settle(stop, () => this.#fail(e)),
    );
  }

  /** Drops the answer, and the one under way, for they are somebody else's. */
  forget() {
    this.#running?.abort();
    this.#running = undefined;
    this.#again = false;
    this.#fails = 0;
    this.data = this.error = this.etag = this.at = undefined;
    this.ask();
  }

  // The first answer is shown at once; later ones wait for the beat.
  #settle(stop: AbortController, show: () => void) {
    const finish = () => {
      if (this.#running !== stop) return;
      this.#running = undefined;
      this.loading = false;
      show();
      if (this.#again && this.watched) {
        this.#again = false;
        this.ask();
      } else this.#later();
    };
    if (this.data === undefined) finish();
    else beat(finish);
  }

  #take(got: { data: unknown; etag?: string }) {
    this.data = got.data;
    this.etag = got.etag;
    this.at = new Date();
    this.error = undefined;
    this.#fails = 0;
  }

  #fail(e: unknown) {
    if (e instanceof DOMException && e.name === 'AbortError') return;
    if (!(e instanceof ProblemError)) throw e;
    this.error = e;
    this.#fails++;
    if (e.status === 401 || e.status === 403 || e.status === 404) this.data = undefined;
  }

  #later() {
    clearTimeout(this.#timer);
    if (!this.watched) return;
    const wait = pause(this.error, this.#fails);
    if (wait !== undefined) this.#timer = setTimeout(() => (this.error || live.state !== 'live' ? this.ask() : this.#later()), wait);
  }
}

/** How long to wait before the answer is asked for again by itself, in ms. */
export function pause(error: ProblemError | undefined, fails: number): number | undefined {
  if (!error) return poll;
  if (error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 408) return undefined;
  return Math.max((error.retryAfter ?? 0) * 1000, Math.min(longestWait, 1000 * 2 ** Math.min(fails - 1, 10)));
}

const entries = new Map<string, Entry>();

onTopics((topics) => {
  for (const e of entries.values()) e.hear(topics);
});

function entryOf(path: string): Entry {
  let e = entries.get(path);
  entries.delete(path);
  e ??= new Entry(path);
  entries.set(path, e); // the newest is the last
  for (const [old, o] of entries) {
    if (entries.size <= kept) break;
    if (o.left && o !== e) entries.delete(old); // one that is about to be looked at has to hear of its changes
  }
  return e;
}

/** Forgets all answers, for somebody else signs in. */
export function forget(): void {
  for (const [path, e] of entries) if (!e.watched) entries.delete(path);
  for (const e of entries.values()) e.forget();
}

/** Asks again for what these topics concern, as after an action of one's own. */
export function changed(...topics: string[]): void {
  for (const e of entries.values()) e.hear(topics);
}

/** An answer as a page sees it. */
export interface Query<T> {
  readonly data: T | undefined;
  readonly error: ProblemError | undefined;
  readonly loading: boolean;
  /** When data came. */
  readonly at: Date | undefined;
  readonly etag: string | undefined;
  refresh(): void;
}

/**
 * The answer at a path while the component lives, asked for again when one of
 * the topics changes; a topic that ends in /* stands for all below it. A path
 * of null asks for nothing.
 */
export function query<T>(path: () => string | null, topics: () => string[]): Query<T> {
  const entry = $derived.by(() => {
    const p = path();
    return p === null ? undefined : entryOf(p);
  });
  // Two effects, and neither follows what watching reads: an answer that comes
  // would else begin the watch anew, and abort what was asked for after it.
  $effect(() => entry?.about(topics()));
  $effect(() => {
    const e = entry;
    return untrack(() => e?.watch());
  });
  return {
    get data() {
      return entry?.data as T | undefined;
    },
    get error() {
      return entry?.error;
    },
    get loading() {
      return entry?.loading ?? false;
    },
    get at() {
      return entry?.at;
    },
    get etag() {
      return entry?.etag;
    },
    refresh: () => entry?.ask(),
  };
}
