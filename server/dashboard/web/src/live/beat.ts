// The page is painted anew at most twice a second, however much changes: what
// comes meanwhile is shown together at the next beat.
const every = 500; // ms

let waiting: (() => void)[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let last = -Infinity;

/** Runs f now, or with all others at the next beat. */
export function beat(f: () => void): void {
  waiting.push(f);
  if (timer !== undefined) return;
  timer = setTimeout(() => {
    timer = undefined;
    last = performance.now();
    const now = waiting;
    waiting = [];
    for (const one of now) one();
  }, Math.max(0, last + every - performance.now()));
}
