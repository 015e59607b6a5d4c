// The series of a rollout's health as charts draw them: one x for all curves of
// a chart, null where nothing is known.
import type { S } from '../../api/client';
import { ppm } from '../../parts/format';

type Values = (number | null)[];

/** What a chart draws. x is in seconds since 1970, or in outcomes. */
export interface Curves<K extends string> {
  x: number[];
  y: Record<K, Values>;
}

const seconds = (at: string) => Date.parse(at) / 1000;

/** Failures and outcomes that are judged at a point: those since it was last resumed after a halt. */
function judged(h: S['Health'], p: S['HealthPoint']): [failed: number, of: number] {
  const from = h.judgedFrom;
  if (!from || Date.parse(p.at) < Date.parse(from.at)) return [p.failed, p.trials];
  return [Math.max(0, p.failed - from.failed), Math.max(0, p.trials - from.trials)];
}

/** The failure rate and the band that holds it, in parts per million. */
export function rate(h: S['Health']): Curves<'rate' | 'low' | 'high'> {
  const p = h.points.filter((q) => q.trials > 0);
  return {
    x: p.map((q) => seconds(q.at)),
    y: {
      rate: p.map((q) => part(...judged(h, q))),
      low: p.map((q) => q.lowPPM ?? null),
      high: p.map((q) => q.highPPM ?? null),
    },
  };
}

function part(failed: number, of: number): number | null {
  return of > 0 ? (failed / of) * 1e6 : null;
}

/** What of the rate is drawn: the first outcomes have a band as wide as all. */
export function rateTop(h: S['Health']): number {
  const rates = h.points.map((q) => judged(h, q)).filter(([, of]) => of >= 30).map(([failed, of]) => (failed / of) * 1e6);
  return Math.min(1e6, Math.max(h.rate.limitPPM * 1.75, ...rates.map((r) => r * 1.3)));
}

/** Failures against outcomes: the lines of the sequential test, and the path so far. */
export function test(h: S['Health']): Curves<'halts' | 'passes' | 'path'> {
  const path = new Map<number, number>([[0, 0]]);
  const from = h.judgedFrom ? Date.parse(h.judgedFrom.at) : 0;
  for (const p of h.points.filter((q) => Date.parse(q.at) >= from)) {
    const [failed, of] = judged(h, p);
    path.set(of, failed);
  }
  path.set(h.rate.of, h.rate.failed);
  const lines = new Map(h.lines.map((l) => [l.of, l]));
  const x = [...new Set([...path.keys(), ...lines.keys()])].sort((a, b) => a - b);
  return {
    x,
    y: {
      halts: between(x, h.lines, (l) => l.haltsAt),
      passes: between(x, h.lines, (l) => l.passesAt),
      path: held(x, path, h.rate.of),
    },
  };
}

// What was last known at each x, up to the last one.
function held(x: number[], known: Map<number, number>, last: number): Values {
  let value: number | null = null;
  return x.map((n) => {
    value = known.get(n) ?? value;
    return n <= last ? value : null;
  });
}

// The lines are given at some numbers of outcomes; between two they are straight enough.
function between(x: number[], lines: S['TestLine'][], pick: (l: S['TestLine']) => number | undefined): Values {
  let i = 0;
  return x.map((n) => {
    while (i + 1 < lines.length && (lines[i + 1]?.of ?? 0) <= n) i++;
    const [a, b] = [lines[i], lines[i + 1]];
    const from = a && a.of <= n ? pick(a) : undefined;
    const to = b ? pick(b) : undefined;
    if (from === undefined || !a) return null;
    if (to === undefined || !b) return a.of === n ? from : null;
    return from + ((to - from) * (n - a.of)) / Math.max(1, b.of - a.of);
  });
}

/** Attempts and outcomes, and between them those that were never heard of again. */
export function gap(h: S['Health']): Curves<'attempts' | 'trials' | 'silent'> {
  return {
    x: h.points.map((p) => seconds(p.at)),
    y: { attempts: h.points.map((p) => p.attempts), trials: h.points.map((p) => p.trials), silent: h.points.map((p) => p.silent) },
  };
}

/** The signed pace, what was open, and the earliest to come, in parts per million. */
export function pace(h: S['Health'], now: number): Curves<'signed' | 'open' | 'ahead'> {
  const plan = h.plan ?? [];
  const open = h.opened.map((o) => (stops.has(step(o)) ? { ...o, sharePPM: 0 } : o));
  const ahead = plan.length > 0 ? [{ at: new Date(now * 1000).toISOString(), sharePPM: open.at(-1)?.sharePPM ?? 0 }, ...plan] : [];
  const ends = [...h.pace, ...h.opened, ...plan].map((s) => seconds(s.at));
  const x = [...new Set([...ends, now, Math.max(now, ...ends) + 43_200])].sort((a, b) => a - b);
  const level = (steps: S['ShareStep'][], from: number, to: number): Values =>
    x.map((t) => {
      if (t < from || t > to) return null;
      const past = steps.filter((s) => seconds(s.at) <= t);
      return past.at(-1)?.sharePPM ?? null;
    });
  return { x, y: { signed: level(h.pace, 0, Infinity), open: level(open, 0, now), ahead: level(ahead, now, Infinity) } };
}

/** When each share was opened, and what else was done about it, as words on a chart over time. */
export function stageMarks(h: S['Health']): { x: number; label: string }[] {
  const marks = h.opened.map((o, i) => ({ x: seconds(o.at), label: o.sharePPM === h.opened[i - 1]?.sharePPM ? step(o) : ppm(o.sharePPM) }));
  if (h.judgedFrom) marks.push({ x: seconds(h.judgedFrom.at), label: 'judged anew' });
  return marks;
}

// The server writes the step before its reason: "pause: lunch".
const step = (o: S['ShareStep']) => o.why?.split(':')[0] ?? '';

/** Nobody new installs from these steps on, though the share stays what it was. */
const stops = new Set(['pause', 'halt']);

/** The greatest number of failures that is drawn of the test. */
export function testTop(h: S['Health']): number {
  const near = h.lines.findLast((l) => l.of <= Math.max(h.rate.of, 1) * 1.15)?.haltsAt ?? 5;
  return Math.ceil(Math.max(near, h.rate.failed, 5) * 1.15);
}
