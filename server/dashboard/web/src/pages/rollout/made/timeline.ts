// Decisions of made-up rollouts, with the numbers behind them as the audit log
// keeps them.
import type { S } from '../../../api/client';
import { upper } from './chance';
import { none } from './health';
import { at, people, plan, product, rollout, stages } from './world';

type Entry = S['TimelineEntry'];

/** The numbers of one decision. */
function numbers(stage: number, state: string, counts: Partial<S['HealthCounts']>): Record<string, unknown> {
  const c = { ...none, ...counts };
  const below = upper(c.rolledBack, c.trials);
  const sure = below < 1e6 ? `; 95 % sure that the failure rate is below ${(below / 1e4).toFixed(2)} %` : '';
  const sentence = `${c.rolledBack} failures in ${c.trials} outcomes${sure}`;
  const halt = state === 'halted';
  return {
    action: halt ? 'halt' : 'advance', state, stage, sharePPM: stages[stage]?.sharePPM, product, build: 42,
    judgedAt: at('0s'),
    rules: { guard: plan.guard, minToHalt: 5, passPPM: 20_000 },
    evidence: { counts: c, sharePPM: stages[Math.max(0, stage - 1)]?.sharePPM },
    verdict: {
      outcome: halt ? 'halt' : 'pass',
      sentence,
      findings: [
        { rule: 'failures', outcome: halt ? 'halt' : 'pass', failed: c.rolledBack, of: c.trials, limitPPM: 20_000, belowPPM: below, sentence },
        { rule: 'silence', outcome: 'pass', failed: c.silent, of: c.due, limitPPM: 10_000, sentence: `${c.silent} of ${c.due} attempts were never heard of again, 1 % is accepted` },
      ],
    },
  };
}

const early: Entry[] = [
  { seq: 118, at: at('3d 4h'), who: people.lin.name, what: 'rollout.create', detail: { ...rollout({ state: 'draft' }) } },
  { seq: 119, at: at('3d 3h'), who: people.lin.name, what: 'rollout.propose', detail: { action: 'propose', state: 'approved', stage: 0, sharePPM: 0, product, build: 42 } },
  {
    seq: 121, at: at('3d 1h'), who: people.priya.name, what: 'rollout.approve', why: 'Read the label change with legal; the notice is right.',
    detail: { action: 'approve', state: 'approved', stage: 0, sharePPM: 0, product, build: 42, people: [people.lin, people.priya] },
  },
  {
    seq: 124, at: at('2d 21h'), who: people.lin.name, what: 'rollout.start',
    detail: { action: 'start', state: 'active', stage: 0, sharePPM: 10_000, product, build: 42, people: [people.lin, people.priya] },
  },
  { seq: 139, at: at('2d 6h'), who: people.chen.name, what: 'rollout.note', why: 'Support sees the usual load. Three calls about the notice, none about the update itself.', detail: { product, build: 42 } },
];

const second: Entry = {
  seq: 152, at: at('44h 50m'), who: 'engine', what: 'rollout.advance', why: '1 failure in 437 outcomes; 95 % sure that the failure rate is below 1.61 %',
  detail: { ...numbers(1, 'active', { attempts: 466, trials: 437, healthy: 436, rolledBack: 1, due: 391, silent: 1, declined: 24, notTried: 7 }), because: '1 failure in 437 outcomes; next stage now' },
};

const third: Entry = {
  seq: 171, at: at('11h 20m'), who: 'engine', what: 'rollout.advance', why: '14 failures in 3902 outcomes; 95 % sure that the failure rate is below 0.63 %',
  detail: numbers(2, 'active', { attempts: 4106, trials: 3902, healthy: 3888, rolledBack: 14, due: 3711, silent: 11, declined: 201, notTried: 58 }),
};

/** What happened to a rollout before its present state, the oldest first. */
export const timelines: Record<'first' | 'second' | 'third', Entry[]> = {
  first: early,
  second: [...early, second],
  third: [...early, second, third],
};

export const before: Entry[] = early.slice(0, 1);
export const asked: Entry[] = early.slice(0, 2);
export const agreed: Entry[] = early.slice(0, 3);

/** A halt that the engine found. */
export const haltedByEngine: Entry = {
  seq: 164, at: at('2h 13m'), who: 'engine', what: 'rollout.halt',
  why: '31 failures in 612 outcomes: more than the 2 % that is accepted',
  detail: numbers(1, 'halted', { attempts: 689, trials: 612, healthy: 581, rolledBack: 31, due: 455, silent: 3, declined: 30, notTried: 9 }),
};

/** A step of a person. */
export function step(seq: number, ago: string, who: string, action: string, why: string, more: Record<string, unknown> = {}): Entry {
  return { seq, at: at(ago), who, what: `rollout.${action}`, why, detail: { action, product, build: 42, ...more } };
}
