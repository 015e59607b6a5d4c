// One clock for all that ticks.
class Clock {
  now: Date = $state.raw(new Date());
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.#timer = setInterval(() => {
      if (document.visibilityState === 'visible') this.now = new Date();
    }, 1000);
    document.addEventListener('visibilitychange', () => {
      if (this.#timer !== undefined && document.visibilityState === 'visible') this.now = new Date();
    });
  }

  /** Stops it at a moment, as stories need it. */
  stop(at: Date) {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.now = at;
  }
}

export const clock = new Clock();
