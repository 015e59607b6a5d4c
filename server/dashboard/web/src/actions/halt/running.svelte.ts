// The rollouts that a halt would stop, known before anybody needs them: the
// list must be there when the network is not.
import { get, type S } from '../../api/client';
import { session } from '../../api/session.svelte';
import { canHalt } from '../steps';

/** Of each state so many, the newest; others are halted on their own page. */
const limit = 50;
const states = ['active', 'held', 'scheduled'] as const;
/** How long after a failure it is read again, in ms. */
const rest = 15_000;

interface Read {
  who: string | undefined;
  list: S['Rollout'][];
  at: Date;
}

class Running {
  /** The last read failed. */
  failed = $state(false);
  #read: Read | undefined = $state.raw();
  #asking = false;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  // What somebody else could halt says nothing about who is here now.
  #mine = $derived(this.#read && this.#read.who === session.caller?.id ? this.#read : undefined);

  /** The rollouts that may be halted by this caller, active ones first. */
  get list(): S['Rollout'][] {
    return this.#mine?.list ?? [];
  }

  /** When it was read; undefined: never. */
  get at(): Date | undefined {
    return this.#mine?.at;
  }

  /** Reads it anew, or once more after what is under way; what is known stays until the answer is there. */
  async refresh(): Promise<void> {
    this.#again = true;
    if (this.#asking) return;
    this.#asking = true;
    clearTimeout(this.#timer);
    while (this.#again && session.may('halt')) {
      this.#again = false;
      await this.#ask(session.caller?.id);
    }
    this.#asking = this.#again = false;
    if (this.failed && session.may('halt')) this.#timer = setTimeout(() => void this.refresh(), rest);
  }

  async #ask(who: string | undefined): Promise<void> {
    try {
      const answers = await Promise.all(states.map((s) => get<S['RolloutList']>(`/v1/rollouts?state=${s}&limit=${limit}`)));
      if (session.caller?.id !== who) {
        this.#again = true;
        return;
      }
      this.#read = { who, at: new Date(), list: answers.flatMap((a) => a.data.rollouts).filter((r) => canHalt(r.state) && session.may('halt', r.product)) };
      this.failed = false;
    } catch {
      this.failed = true;
    }
  }
}

export const running = new Running();
