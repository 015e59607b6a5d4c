// Rollouts at the edges: nothing counted, nobody to count, texts that mean ill.
import type { S } from '../../../api/client';
import { health } from './health';
import { active, halted, twoIn400, type Made } from './states';
import { step, timelines } from './timeline';
import { at, people, plan, rollout } from './world';

const opened: S['ShareStep'][] = [{ at: at('20m'), sharePPM: 10_000, stage: 0, why: 'start' }];

const silent: S['Finding'][] = [
  { rule: 'failures', outcome: 'undecided', failed: 0, of: 0, limitPPM: 20_000, sentence: 'no outcomes yet' },
  { rule: 'silence', outcome: 'undecided', failed: 0, of: 0, limitPPM: 10_000, sentence: 'no attempt is old enough to be missed' },
];

const fresh: Made = {
  rollout: rollout({
    stage: 0, sharePPM: 10_000, stageSince: at('20m'), changed: at('20m'), missingApprovals: 0, version: 5,
    outlook: {
      outcome: 'undecided', findings: silent, sentence: 'no outcomes yet; no attempt is old enough to be missed; 0 trials were counted; stage 1 needs 50; next stage in 23 h 40 m at the earliest',
      waits: [
        { code: 'soaking', until: at('+23h 40m'), sentence: 'stage 1 soaks until 2014-08-14T02:40:10Z' },
        { code: 'votes-needed', sentence: '0 trials were counted; stage 1 needs 50' },
        { code: 'undecided', sentence: 'the votes do not prove that it is good: no outcomes yet; no attempt is old enough to be missed' },
      ],
    },
  }),
  health: health({ counts: {}, opened, change: { silence: undefined, masked: false, before: active.health.before, plan: [{ at: at('+23h 40m'), sharePPM: 100_000, stage: 1 }] } }),
  timeline: timelines.first,
};

const unheard: Made = {
  ...fresh,
  health: { ...fresh.health, unknown: true, before: undefined, blast: { sharePPM: 10_000 }, offered: undefined },
};

const { budget: _, ...bare } = plan;
const sizeless: Made = {
  ...twoIn400,
  rollout: { ...twoIn400.rollout, plan: bare },
  health: { ...twoIn400.health, offered: undefined, before: undefined, blast: { sharePPM: 10_000 } },
};

const hostile = `<img src=x onerror=alert(1)>"'><script>alert(1)</script>\u202egnp.exe ${'W'.repeat(150)} ${'🧨'.repeat(40)}`;

const nasty: Made = {
  ...halted,
  rollout: rollout({
    ...halted.rollout, reason: hostile, releaseVersion: hostile.slice(0, 64), channel: 'c'.repeat(64), author: { id: 'x', name: hostile },
    proposer: { id: 'y', name: '\u200f\u200e' + hostile }, approvals: [{ by: { id: 'z', name: hostile }, at: at('3h'), reason: hostile, upTo: 1 }],
    resume: { by: { id: 'w', name: hostile }, at: at('1h'), reason: hostile, upTo: 1 },
    breakGlass: [{ by: { id: 'v', name: hostile }, at: at('2h'), reason: hostile, action: 'advance', stage: 1 }],
    outlook: { sentence: `halted: ${hostile}`, waits: [], findings: [] },
    plan: { ...plan, audience: { models: [hostile, 'm'.repeat(64)] } },
  }),
  timeline: [...halted.timeline, step(170, '1h', hostile, 'note', hostile), step(171, '50m', hostile, hostile, hostile)],
};

const anew: Made = {
  rollout: rollout({
    stageSince: at('9h'), resume: undefined, version: 14,
    breakGlass: [{ by: people.jonas, at: at('9h'), reason: 'The loops came from one charger in the lab. The fix for 412,000 phones must not wait for it.', action: 'resume', stage: 1 }],
    outlook: {
      outcome: 'undecided', sentence: '1 failure in 188 outcomes; 95 % sure that the failure rate is below 3.36 %, 2 % is needed; next stage in 1 d 15 h at the earliest',
      waits: [{ code: 'soaking', until: at('+39h'), sentence: 'stage 2 soaks until 2014-08-14T18:00:10Z' }, { code: 'undecided', sentence: 'the votes do not prove that it is good' }],
      findings: [{ rule: 'failures', outcome: 'undecided', failed: 1, of: 188, limitPPM: 20_000, belowPPM: 33_600, sentence: '1 failure in 188 outcomes' }],
    },
  }),
  health: health({
    counts: { attempts: 1010, trials: 800, healthy: 768, rolledBack: 32, declined: 44, notTried: 11, due: 700, silent: 5 },
    opened: [{ at: at('40h'), sharePPM: 10_000, stage: 0, why: 'start' }, { at: at('16h'), sharePPM: 100_000, stage: 1, why: 'advance' }, { at: at('11h'), sharePPM: 100_000, stage: 1, why: 'halt: 31 failures in 612 outcomes' }, { at: at('9h'), sharePPM: 100_000, stage: 1, why: 'resume: one charger' }],
    change: {
      judgedFrom: { at: at('9h'), attempts: 689, trials: 612, failed: 31, silent: 3, sharePPM: 100_000 },
      rate: { failed: 1, of: 188, limitPPM: 20_000, ratePPM: 5319, lowPPM: 240, highPPM: 33_600 },
    },
  }),
  timeline: [...halted.timeline, step(172, '9h', people.jonas.name, 'break-glass', 'The loops came from one charger in the lab.', { action: 'resume', state: 'active', stage: 1, sharePPM: 100_000 })],
};
anew.health.points = anew.health.points.map((p, i, all) => {
  const late = Date.parse(p.at) >= Date.parse(at('9h'));
  const k = all.filter((q) => Date.parse(q.at) < Date.parse(at('9h'))).length;
  const part = late ? (i + 1 - k) / (all.length - k) : (i + 1) / k;
  const trials = late ? 612 + Math.round(188 * part) : Math.round(612 * part);
  return { ...p, trials, attempts: Math.round(trials * 1.26), failed: late ? (part > 0.6 ? 32 : 31) : Math.round(31 * part ** 2), lowPPM: p.lowPPM, highPPM: late ? Math.round(33_600 / Math.max(0.08, part)) : p.highPPM };
});

const steps = 24;
const fine: S['Stage'][] = Array.from({ length: steps }, (_, i) => ({ sharePPM: Math.round(1e6 * ((i + 1) / steps) ** 2.2), soak: '12h', minVotes: 100, approvals: i > 6 ? 2 : 0 }));

/** Many stages, and a log that is longer than a page. */
const long: Made = {
  ...active,
  rollout: { ...active.rollout, stages: fine, stage: 7, sharePPM: fine[7]!.sharePPM, needed: fine.map((s) => (s.sharePPM > 100_000 ? 2 : 1)) },
  timeline: [...timelines.third, ...Array.from({ length: 400 }, (_, i) => step(200 + i, `${400 - i}m`, people.chen.name, 'note', `Checked at ${i}: nothing new.`))],
};

export const edges: Record<string, Made> = {
  'no votes yet': fresh, 'nobody can report': unheard, 'size of the fleet not known': sizeless, 'judged anew after a halt': anew, 'hostile texts': nasty, 'many stages and a long log': long,
};
