// Health of made-up rollouts: counts, and a history that leads to them.
import type { S } from '../../../api/client';
import { haltsAt, lower, passesAt, upper } from './chance';
import { at, fleet, now } from './world';

type Counts = S['HealthCounts'];

export interface Story {
  counts: Partial<Counts>;
  limitPPM?: number;
  silencePPM?: number;
  /** When each share was opened, the oldest first. */
  opened: S['ShareStep'][];
  /** What the failures look like over time: 1 is even, more is late. */
  bend?: number;
  change?: Partial<S['Health']>;
}

export const none: Counts = {
  attempts: 0, trials: 0, healthy: 0, rolledBack: 0, regressions: 0, declined: 0, notTried: 0, due: 0, silent: 0,
};

export const pace: S['ShareStep'][] = [
  { at: '2014-08-10T00:00:00Z', sharePPM: 10_000 },
  { at: '2014-08-11T00:00:00Z', sharePPM: 100_000 },
  { at: '2014-08-13T00:00:00Z', sharePPM: 500_000 },
  { at: '2014-08-15T00:00:00Z', sharePPM: 1_000_000 },
];

export function rate(failed: number, of: number, limitPPM: number): S['Rate'] {
  if (of === 0) return { failed, of, limitPPM };
  return { failed, of, limitPPM, ratePPM: Math.round((failed / of) * 1e6), lowPPM: lower(failed, of), highPPM: upper(failed, of) };
}

// A part of 1 of what came by then: each stage brings its own wave.
function grown(t: number, opened: S['ShareStep'][], end: number): number {
  const total = opened.reduce((sum, step) => sum + weight(step, end), 0);
  const seen = opened.reduce((sum, step) => sum + weight(step, t), 0);
  return total > 0 ? seen / total : 0;
}

function weight(step: S['ShareStep'], t: number): number {
  const hours = (t - Date.parse(step.at)) / 3.6e6;
  return hours <= 0 ? 0 : step.sharePPM * (1 - Math.exp(-hours / 30));
}

function shareAt(t: number, opened: S['ShareStep'][]): number {
  return opened.reduce((share, step) => (Date.parse(step.at) <= t ? step.sharePPM : share), 0);
}

function history(c: Counts, s: Story): S['HealthPoint'][] {
  const start = Date.parse(s.opened[0]?.at ?? at('0s'));
  const points: S['HealthPoint'][] = [];
  const steps = 96;
  for (let i = 1; i <= steps; i++) {
    const t = start + ((now - start) * i) / steps;
    const part = grown(t, s.opened, now);
    const trials = Math.round(c.trials * Math.max(0, part - 0.02 * (1 - part)));
    const failed = Math.min(trials, Math.floor(c.rolledBack * part ** (s.bend ?? 1) + 0.4 * Math.sin(i / 3) ** 2));
    const point: S['HealthPoint'] = {
      at: new Date(t).toISOString(),
      attempts: Math.round(c.attempts * part),
      trials,
      failed: i === steps ? c.rolledBack : failed,
      silent: Math.floor(c.silent * part * part),
      sharePPM: shareAt(t, s.opened),
    };
    if (trials > 0) {
      point.lowPPM = lower(point.failed, trials);
      point.highPPM = upper(point.failed, trials);
    }
    points.push(point);
  }
  return points;
}

function lines(trials: number, limitPPM: number): S['TestLine'][] {
  const end = Math.max(300, Math.ceil(trials * 1.15));
  const out: S['TestLine'][] = [];
  for (let i = 0; i <= 60; i++) {
    const of = Math.round((end * i) / 60);
    out.push({ of, haltsAt: haltsAt(of, limitPPM), passesAt: passesAt(of, limitPPM) });
  }
  return out;
}

/** All that GET /v1/rollouts/{id}/health answers. */
export function health(s: Story): S['Health'] {
  const c = { ...none, ...s.counts };
  const limit = s.limitPPM ?? 20_000;
  const share = s.opened.at(-1)?.sharePPM ?? 0;
  const reports = c.attempts > 0 ? fleet * (share / 1e6) / c.attempts : 0;
  return {
    id: '42-h3k7wq2m',
    at: at('4m'),
    shownEvery: 3600,
    grace: 172_800,
    masked: true,
    counts: c,
    offered: Math.round((fleet * share) / 1e6),
    reasons: [],
    rate: rate(c.rolledBack, c.trials, limit),
    silence: rate(c.silent, c.due, s.silencePPM ?? 10_000),
    points: c.attempts > 0 ? history(c, s) : [],
    lines: lines(c.trials, limit),
    blast: {
      sharePPM: share,
      fleet,
      reached: Math.round((fleet * share) / 1e6),
      harmed: Math.round((c.rolledBack + c.regressions + c.silent) * reports),
      maxHarmed: 15_000,
    },
    pace,
    opened: s.opened,
    plan: [],
    ...s.change,
  };
}
