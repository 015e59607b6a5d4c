// Several tabs of one browser share one stream: a browser opens six connections
// to a server over HTTP/1.1, and each stream holds one for ever. The tab that
// has the lock reads and tells the others.

/** What the tab that reads tells the others. */
export type Word =
  | { kind: 'topics'; topics: string[] | 'all'; id?: string }
  | { kind: 'state'; state: 'live' | 'reconnecting' | 'stale'; since: number; id?: string }
  | { kind: 'beat' }
  | { kind: 'ask' };

/** A tab among those of one session. */
export interface Tab {
  say(w: Word): void;
  /** Takes the place of a tab that has the lock and says nothing. */
  take(): void;
}

interface Options {
  /** Names the session: tabs of another one share another stream. */
  session: string;
  hear(w: Word): void;
  /** Reads until the signal ends; begun each time that this tab has the lock. */
  lead(signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
}

/** Joins the tabs of the session until the signal ends. */
export function join(o: Options): Tab {
  if (!navigator.locks || typeof BroadcastChannel === 'undefined') {
    // Without TLS, away from this machine: each tab for itself.
    void o.lead(o.signal);
    return { say: () => undefined, take: () => undefined };
  }
  const name = `candor-live-${o.session}`;
  const channel = new BroadcastChannel(name);
  channel.onmessage = (e: MessageEvent<Word>) => o.hear(e.data);
  o.signal.addEventListener('abort', () => channel.close(), { once: true });
  void wait(name, o, false);
  channel.postMessage({ kind: 'ask' } satisfies Word);
  return {
    say: (w) => !o.signal.aborted && channel.postMessage(w),
    take: () => void wait(name, o, true),
  };
}

// One turn at the lock. Who loses it to another tab waits for it again.
async function wait(name: string, o: Options, steal: boolean): Promise<void> {
  while (!o.signal.aborted) {
    const turn = new AbortController();
    const end = () => turn.abort();
    o.signal.addEventListener('abort', end, { once: true });
    try {
      await navigator.locks.request(name, steal ? { steal } : { signal: o.signal }, () => o.lead(turn.signal));
      return;
    } catch (e) {
      if (steal || o.signal.aborted) return; // the request that was there before goes on waiting
      // Stolen: it is waited for again. Anything else is that locks are forbidden,
      // as where a browser keeps nothing: each tab for itself.
      if (!(e instanceof DOMException && e.name === 'AbortError')) return o.lead(o.signal);
    } finally {
      o.signal.removeEventListener('abort', end);
      end();
    }
  }
}
