// HALT: the safe direction. It asks nothing, waits for nothing else and gives
// up on nothing but a refusal: a request of its own, under one Idempotency-Key,
// sent again until it is answered. It looks at no version, so it works on a
// page that is hours old.
import { caller, makeWay, newKey, type S } from '../../api/client';
import { changed } from '../../live/query.svelte';
import { session } from '../../api/session.svelte';

/** What is to be halted, as far as it is known. */
export interface Target {
  id: string;
  product?: string;
  build?: number;
}

/** The reason of a halt that nobody had to think of. Handsets show it to their owners. */
export const reason = 'Stopped by the people who watch over this update, at once and by hand. Why follows.';

/** How long one try may take, and how long to wait before the next, in ms. */
const patience = 5_000;
const pauses = [250, 500, 1_000, 2_000, 4_000];

/** One halt, from the click to its answer. */
export class Halt {
  readonly target: Target;
  readonly begun = new Date();
  /** sending: on its way; done: answered; refused: the server will not. */
  state: 'sending' | 'done' | 'refused' = $state('sending');
  tries = $state(0);
  /** Why the last try brought nothing. */
  trouble = $state('');
  problem: S['Problem'] | undefined = $state.raw();
  rollout: S['Rollout'] | undefined = $state.raw();
  answered: Date | undefined = $state.raw();
  /** A reason by a person is in the timeline. */
  explained = $state(false);
  readonly #key = newKey();
  #renewed = false;

  constructor(target: Target) {
    this.target = target;
    void this.#run();
  }

  async #run() {
    while (this.state === 'sending') {
      const wait = await this.#once();
      if (this.state === 'sending') await new Promise((done) => setTimeout(done, wait));
    }
    this.answered = new Date();
    changed('rollouts', `rollout/${this.target.id}`);
  }

  // One try; gives how long to wait before the next.
  async #once(): Promise<number> {
    const wait = pauses[Math.min(this.tries, pauses.length - 1)]!;
    this.tries++;
    makeWay();
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), patience);
    try {
      const answer = await fetch(`/v1/rollouts/${encodeURIComponent(this.target.id)}/halt`, {
        method: 'POST', credentials: 'same-origin', redirect: 'error', cache: 'no-store', priority: 'high', keepalive: true, signal: stop.signal,
        headers: {
          Accept: 'application/json', 'Content-Type': 'application/json', 'Idempotency-Key': this.#key,
          ...(caller.csrf() ? { 'X-CSRF-Token': caller.csrf()! } : {}),
        },
        body: JSON.stringify({ reason }),
      });
      return await this.#read(answer, wait);
    } catch {
      this.trouble = stop.signal.aborted ? `No answer within ${patience / 1000} s.` : 'The server could not be reached.';
      return wait;
    } finally {
      clearTimeout(late);
    }
  }

  async #read(answer: Response, wait: number): Promise<number> {
    const content: unknown = await answer.json().catch(() => undefined);
    if (answer.ok) {
      this.rollout = content as S['Rollout'];
      this.state = 'done';
      return 0;
    }
    const problem = (content ?? { title: answer.statusText, code: 'unknown', status: answer.status }) as S['Problem'];
    if (problem.code === 'foreign-request' && !this.#renewed) {
      this.#renewed = true; // another tab has signed in anew
      await session.load();
      return 0;
    }
    this.trouble = problem.detail ?? problem.title;
    if (answer.status >= 500 || answer.status === 429 || answer.status === 408 || problem.code === 'in-progress') {
      return Math.max(wait, Math.min(Number(answer.headers.get('Retry-After')) || 0, 5) * 1000);
    }
    this.problem = problem;
    this.state = 'refused';
    return 0;
  }
}

class Halts {
  list: Halt[] = $state.raw([]);

  /** Halts it now. A second click while it is on its way is the same halt. */
  halt(target: Target): Halt {
    const running = this.list.find((h) => h.target.id === target.id && h.state === 'sending');
    if (running) return running;
    const one = new Halt(target);
    this.list = [one, ...this.list.filter((h) => h.target.id !== target.id)];
    return one;
  }

  dismiss(h: Halt) {
    this.list = this.list.filter((o) => o !== h);
  }
}

export const halts = new Halts();
