// The rollouts that a halt would stop, known before anybody needs them: the
// list must be there when the network is not.
import { get, type S } from '../../api/client';
import { session } from '../../api/session.svelte';
import { canHalt } from '../steps';

/** Of each state so many, the newest; others are halted on their own page. */
const limit = 50;
const states = ['active', 'held', 'scheduled'] as const;

class Running {
  /** The rollouts that may be halted by this caller, active ones first. */
  list: S['Rollout'][] = $state.raw([]);
  /** When it was read; undefined: never. */
  at: Date | undefined = $state.raw();
  failed = $state(false);
  #asking = false;

  /** Reads it anew; what is known stays until the answer is there. */
  async refresh(): Promise<void> {
    if (this.#asking || !session.may('halt')) return;
    this.#asking = true;
    try {
      const answers = await Promise.all(states.map((s) => get<S['RolloutList']>(`/v1/rollouts?state=${s}&limit=${limit}`)));
      this.list = answers.flatMap((a) => a.data.rollouts).filter((r) => canHalt(r.state) && session.may('halt', r.product));
      this.at = new Date();
      this.failed = false;
    } catch {
      this.failed = true;
    } finally {
      this.#asking = false;
    }
  }
}

export const running = new Running();
