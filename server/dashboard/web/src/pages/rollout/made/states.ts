// One rollout in each of its states.
import type { S } from '../../../api/client';
import { health, type Story } from './health';
import { asked, agreed, before, haltedByEngine, step, timelines } from './timeline';
import { at, people, rollout, stages } from './world';

/** What the three addresses of a rollout's page answer. */
export interface Made {
  rollout: S['Rollout'];
  health: S['Health'];
  timeline: S['TimelineEntry'][];
}

const first: S['ShareStep'] = { at: at('2d 21h'), sharePPM: 10_000, stage: 0, why: 'start' };
const second: S['ShareStep'] = { at: at('44h 50m'), sharePPM: 100_000, stage: 1, why: 'advance: 1 failure in 437 outcomes' };
const third: S['ShareStep'] = { at: at('11h 20m'), sharePPM: 500_000, stage: 2, why: 'advance: 14 failures in 3902 outcomes' };

export const good: Story['counts'] = {
  attempts: 4390, trials: 4112, healthy: 4096, rolledBack: 16, regressions: 2, declined: 211, notTried: 64, due: 3894, silent: 12,
};

const reasons: S['ReasonCount'][] = [
  { class: 'refusal', reason: 'space', sentence: 'There was not enough space.', votes: 41 },
];

const beforeGood: S['BeforeHealth'] = {
  build: 41, version: 'MIUI 5.4.8 (4.7.24)', rollout: '41-p2v8xn4c', sharePPM: 100_000, sameShare: true,
  counts: { attempts: 4022, trials: 3880, healthy: 3851, rolledBack: 29, regressions: 6, declined: 402, notTried: 71, due: 3701, silent: 15 },
  rate: { failed: 29, of: 3880, limitPPM: 20_000, ratePPM: 7474, lowPPM: 4380, highPPM: 11_800 },
};

const ahead: S['ShareStep'][] = [
  { at: at('+3h 10m'), sharePPM: 500_000, stage: 2 },
  { at: at('+51h 10m'), sharePPM: 1_000_000, stage: 3 },
];

const passing: S['Outlook'] = {
  outcome: 'pass',
  sentence: '16 failures in 4112 outcomes; 95 % sure that the failure rate is below 0.67 %; stage 3 (50 %) needs the word of 2 people; 1 more must approve it; next stage in 3 h 10 m at the earliest',
  waits: [
    { code: 'soaking', until: at('+3h 10m'), sentence: 'stage 2 soaks until 2014-08-13T06:10:10Z' },
    { code: 'approval-needed', sentence: 'stage 3 (50 %) needs the word of 2 people; 1 more must approve it' },
  ],
  findings: [
    { rule: 'failures', outcome: 'pass', failed: 16, of: 4112, limitPPM: 20_000, belowPPM: 6650, sentence: '16 failures in 4112 outcomes; 95 % sure that the failure rate is below 0.67 %' },
    { rule: 'regressions', outcome: 'pass', failed: 2, of: 4096, limitPPM: 20_000, sentence: '2 later failures of 4096 handsets that had been healthy, 2 % is accepted' },
    { rule: 'silence', outcome: 'pass', failed: 12, of: 3894, limitPPM: 10_000, sentence: '12 of 3894 attempts were never heard of again, 1 % is accepted' },
  ],
};

export const active: Made = {
  rollout: rollout({ outlook: passing }),
  health: health({ counts: good, opened: [first, second], change: { reasons, before: beforeGood, plan: ahead } }),
  timeline: timelines.second,
};

export const ready: Made = {
  ...active,
  rollout: rollout({
    approvals: [...rollout().approvals, { by: people.jonas, at: at('40m'), reason: 'Numbers are better than 41.', upTo: 3 }],
    missingApprovals: 0,
    outlook: { ...passing, waits: passing.waits.slice(0, 1), sentence: '16 failures in 4112 outcomes; 95 % sure that the failure rate is below 0.67 %; next stage in 3 h 10 m unless halted' },
  }),
};

const few: Story['counts'] = { attempts: 431, trials: 400, healthy: 398, rolledBack: 2, declined: 22, notTried: 5, due: 280, silent: 1 };

export const twoIn400: Made = {
  rollout: rollout({
    stage: 0, sharePPM: 10_000, stageSince: at('20h'), missingApprovals: 0, version: 5,
    outlook: {
      outcome: 'undecided',
      sentence: '2 failures in 400 outcomes; 95 % sure that the failure rate is below 2.02 %, 2 % is needed; next stage in 4 h 0 m at the earliest',
      waits: [
        { code: 'soaking', until: at('+4h'), sentence: 'stage 1 soaks until 2014-08-13T07:00:10Z' },
        { code: 'undecided', sentence: 'the votes do not prove that it is good: 2 failures in 400 outcomes; 95 % sure that the failure rate is below 2.02 %, 2 % is needed' },
      ],
      findings: [
        { rule: 'failures', outcome: 'undecided', failed: 2, of: 400, limitPPM: 20_000, belowPPM: 20_200, sentence: '2 failures in 400 outcomes; 95 % sure that the failure rate is below 2.02 %, 2 % is needed' },
        { rule: 'silence', outcome: 'pass', failed: 1, of: 280, limitPPM: 10_000, sentence: '1 of 280 attempts were never heard of again, 1 % is accepted' },
      ],
    },
  }),
  health: health({
    counts: few, opened: [{ ...first, at: at('20h') }],
    change: { before: { ...beforeGood, sharePPM: 10_000 }, plan: [{ at: at('+4h'), sharePPM: 100_000, stage: 1 }, { at: at('+52h'), sharePPM: 500_000, stage: 2 }] },
  }),
  timeline: timelines.first,
};

const bad: Story['counts'] = { attempts: 689, trials: 612, healthy: 581, rolledBack: 31, regressions: 0, declined: 30, notTried: 9, due: 455, silent: 3 };

export const halted: Made = {
  rollout: rollout({
    state: 'halted', version: 11, changed: at('2h 13m'), reason: '31 failures in 612 outcomes: more than the 2 % that is accepted', stageSince: at('5h'),
    haltBound: {
      at: at('+219h 47m'),
      sentence: 'A handset that sees the halt no longer installs it, nor restarts into it. One that is kept from seeing it stops by 2014-08-22T06:47:10Z at the latest, if its clock runs: 2 d 0 h until the last word from before the halt expires, 7 h 0 m to the next poll, 7 d 0 h of restarts put off.',
    },
    outlook: { sentence: 'halted: 31 failures in 612 outcomes: more than the 2 % that is accepted', waits: [], findings: [] },
  }),
  health: health({
    counts: bad, opened: [{ ...first, at: at('29h') }, { ...second, at: at('5h') }, { at: at('2h 13m'), sharePPM: 100_000, stage: 1, why: 'halt: 31 failures in 612 outcomes: more than the 2 % that is accepted' }], bend: 3,
    change: {
      reasons: [
        { class: 'trial', reason: 'boot_loop', sentence: 'The new build did not start.', votes: 24 },
      ],
      before: beforeGood,
      blast: { sharePPM: 100_000, fleet: 1_240_000, reached: 124_000, harmed: 6120, maxHarmed: 15_000 },
    },
  }),
  timeline: [...timelines.second, haltedByEngine, step(165, '2h 4m', people.chen.name, 'note', 'Woken by the page. Boot loops on mi-3 only, as far as support can tell. Asked the engineers to withdraw 42.')],
};

export const resuming: Made = {
  ...halted,
  rollout: { ...halted.rollout, resume: { by: people.jonas, at: at('12m'), reason: 'The loops came from one lab charger; see the note.', upTo: 1 },
    outlook: { sentence: 'halted: 31 failures in 612 outcomes: more than the 2 % that is accepted; Jonas Weber wants to resume it, somebody else has to approve that', waits: [], findings: [] } },
};

const held: Made = {
  rollout: rollout({
    state: 'held', version: 10, changed: at('34m'), reason: 'Support reports a battery drain; looking.',
    outlook: { ...passing, waits: [], sentence: '16 failures in 4112 outcomes; 95 % sure that the failure rate is below 0.67 %; paused until somebody resumes it' },
  }),
  health: { ...active.health, plan: [], opened: [...active.health.opened, { at: at('34m'), sharePPM: 100_000, stage: 1, why: 'pause: Support reports a battery drain; looking.' }] },
  timeline: [...timelines.second, step(160, '34m', people.chen.name, 'pause', 'Support reports a battery drain; looking.', { state: 'held', stage: 1, sharePPM: 100_000 })],
};

const restored: Made = {
  ...held,
  rollout: { ...held.rollout, reason: 'a backup of 2014-08-12T00:00:00Z was restored; look before you resume', changed: at('3h') },
  timeline: [...timelines.second, { seq: 161, at: at('3h'), who: 'restore', what: 'restore', why: 'a backup of 2014-08-12T00:00:00Z was restored', detail: {} }],
};

function idle(change: Partial<S['Rollout']>, sentence: string, timeline: S['TimelineEntry'][], waits: S['Wait'][] = []): Made {
  return {
    rollout: rollout({ stage: 0, sharePPM: 0, stageSince: undefined, outlook: { sentence, waits, findings: [] }, ...change }),
    health: health({ counts: {}, opened: [], change: { plan: stages.map((s, i) => ({ at: at(`+${3 + i * 48}h`), sharePPM: s.sharePPM, stage: i })), blast: { sharePPM: 0, fleet: 1_240_000, reached: 0, harmed: 0, maxHarmed: 15_000 } } }),
    timeline,
  };
}

export const made: Record<string, Made> = {
  active, ready, 'two failures in 400': twoIn400, halted, 'somebody wants to resume it': resuming, held, restored,
  draft: idle({ state: 'draft', approvals: [], proposer: undefined, missingApprovals: 1, version: 1 }, 'a draft; propose it', before),
  proposed: idle({ state: 'proposed', approvals: [], missingApprovals: 1, version: 2 }, 'stage 1 (1 %) needs the word of 2 people; 1 more must approve it', asked,
    [{ code: 'approval-needed', sentence: 'stage 1 (1 %) needs the word of 2 people; 1 more must approve it' }]),
  approved: idle({ state: 'approved', missingApprovals: 0, version: 3 }, 'approved; start it', agreed),
  scheduled: idle({ state: 'scheduled', missingApprovals: 0, version: 4 }, 'stage 1 in 3 h 0 m unless halted', agreed,
    [{ code: 'scheduled', until: at('+3h'), sentence: 'it begins at 2014-08-13T06:00:10Z' }]),
  complete: {
    rollout: rollout({ state: 'complete', stage: 3, sharePPM: 1_000_000, stageSince: at('26h'), changed: at('2h'), missingApprovals: undefined, version: 14,
      outlook: { outcome: 'pass', sentence: '61 failures in 22340 outcomes; 95 % sure that the failure rate is below 0.4 %; complete', waits: [], findings: [] } }),
    health: health({ counts: { attempts: 23_109, trials: 22_340, healthy: 22_279, rolledBack: 61, regressions: 9, declined: 1204, notTried: 210, due: 22_801, silent: 70 },
      opened: [first, second, third, { at: at('26h'), sharePPM: 1_000_000, stage: 3 }], change: { reasons: [{ class: 'refusal', reason: 'space', sentence: 'There was not enough space.', votes: 131 }, { class: 'refusal', reason: 'power', sentence: 'The power failed in the middle.', votes: 44 }, { class: 'trial', reason: 'health_check', sentence: 'The new build started, and its own checks failed.', votes: 33 }, { class: 'trial', reason: 'boot_loop', sentence: 'The new build did not start.', votes: 21 }], before: { ...beforeGood, sharePPM: 1_000_000, sameShare: false } } }),
    timeline: [...timelines.third, step(190, '2h', 'engine', 'advance', '61 failures in 22340 outcomes', { state: 'complete', stage: 3, sharePPM: 1_000_000 })],
  },
  superseded: {
    ...active,
    rollout: rollout({ state: 'superseded', reason: 'build 43 started for the same handsets', changed: at('5h'), outlook: { sentence: 'the rollout is superseded', waits: [], findings: [] } }),
  },
  abandoned: idle({ state: 'abandoned', reason: 'Legal wants another wording of the notice; build 43 has it.', changed: at('1d') }, 'the rollout is abandoned', agreed),
};
