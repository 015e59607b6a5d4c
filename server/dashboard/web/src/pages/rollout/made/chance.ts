// The sequential tests of package verdict, so that what the stories show holds
// together: lines, bounds and sentences come from the same counts.

const whole = 1_000_000;

function ratio(k: number, n: number, p1: number, p0: number): number {
  return k * Math.log(p1 / p0) + (n - k) * Math.log((1 - p1) / (1 - p0));
}

export function halts(k: number, n: number, limitPPM: number): boolean {
  const limit = limitPPM / whole;
  return limit < 0.5 && ratio(k, n, 2 * limit, limit / 2) >= Math.log(200);
}

export function passes(k: number, n: number, limitPPM: number): boolean {
  const limit = limitPPM / whole;
  const parts = [8, 4, 2].map((by) => ratio(k, n, limit / by, limit));
  const most = Math.max(...parts);
  return most + Math.log(parts.reduce((sum, p) => sum + Math.exp(p - most), 0) / 3) >= Math.log(20);
}

/** The lowest rate, in parts per million, that k failures among n rule out. */
export function upper(k: number, n: number): number {
  let low = 0;
  let high = whole;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (n > 0 && middle * n > k * whole && passes(k, n, middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** The highest rate that k failures among n rule out from below; 0 if none. */
export function lower(k: number, n: number): number {
  let low = 0;
  let high = n > 0 ? Math.floor((k / n) * whole) : 0;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (ratio(k, n, Math.min(0.999999, k / n), middle / whole) >= Math.log(20)) low = middle;
    else high = middle;
  }
  return low;
}

export function haltsAt(n: number, limitPPM: number, least = 5): number | undefined {
  if (n < least) return undefined;
  for (let k = 0; k <= n; k++) if (halts(k, n, limitPPM)) return k;
  return undefined;
}

export function passesAt(n: number, limitPPM: number): number | undefined {
  let best: number | undefined;
  for (let k = 0; k * whole < limitPPM * n && passes(k, n, limitPPM); k++) best = k;
  return best;
}
