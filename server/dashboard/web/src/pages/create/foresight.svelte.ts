// The preview of a plan while it is typed: one question at a time, a moment
// after the last key, and only for a plan that can be read.
import { ProblemError, question, type S } from '../../api/client';
import type { Plan } from '../../actions/plan';

/** How long typing has to rest before the server is asked, in ms. */
const rest = 350;

/** What is shown of a fleet whose size nobody gave. */
export const exampleFleet = 1_000_000;

export interface Asked {
  plan: Plan;
  fleet: number | undefined;
  optIn: number | undefined;
  handset: S['SampleHandset'] | undefined;
}

export class Foresight {
  data: S['Preview'] | undefined = $state.raw();
  /** What data is about; it may be older than what is typed now. */
  of: Asked | undefined = $state.raw();
  error: ProblemError | undefined = $state.raw();
  asking = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | undefined;

  /** Asks about it once typing rests; undefined: there is nothing to ask. */
  about(asked: Asked | undefined) {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = undefined;
    this.asking = asked !== undefined;
    if (asked) this.#timer = setTimeout(() => void this.#ask(asked), rest);
  }

  async #ask(asked: Asked) {
    const stop = (this.#running = new AbortController());
    try {
      const body: S['PreviewRequest'] = { plan: asked.plan as unknown as S['Plan'], fleet: asked.fleet ?? exampleFleet };
      if (asked.optIn) body.optInPPM = asked.optIn;
      if (asked.handset) body.handset = asked.handset;
      const data = await question<S['Preview']>('/v1/rollouts/preview', body, stop.signal);
      if (stop.signal.aborted) return;
      this.data = data;
      this.of = asked;
      this.error = undefined;
    } catch (e) {
      if (stop.signal.aborted) return;
      if (!(e instanceof ProblemError)) throw e;
      this.error = e;
    } finally {
      if (this.#running === stop) this.asking = false;
    }
  }
}

/** The field of a form that a refusal is about; undefined if it is about none. */
export function fieldOf(e: ProblemError | undefined): string | undefined {
  if (!e) return undefined;
  const field = e.problem.field?.replace(/^plan\./, '');
  if (field) return field;
  if (e.problem.code === 'pace') return 'start';
  return e.problem.code === 'not-found' ? 'build' : undefined;
}

/** The words of a refusal, without the name of the field beside which they stand. */
export function wordsOf(e: ProblemError): string {
  const text = (e.problem.detail ?? e.problem.title).replace(/^field "[^"]*": /, '');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
