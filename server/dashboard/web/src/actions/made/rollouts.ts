// Rollouts, releases and events for stories.
import type { S } from '../../api/client';
import type { Plan } from '../plan';

export const hostile = 'Ｂuild\u202e<img src=x onerror=alert(1)>\u2066😀' + 'w'.repeat(220);

export const people = {
  ada: { id: 'oidc:ada', name: 'Ada Lindqvist' },
  li: { id: 'oidc:li', name: 'Li Na' },
  bo: { id: 'oidc:bo', name: 'Bo Andersson' },
};

export const plan: Plan = {
  product: 'phone', build: 43, channel: 'stable', kind: 'normal', deferral: '7d', spread: '30m', window: { from: '02:00', to: '05:00' },
  stages: [{ sharePPM: 10_000, soak: '1d', minVotes: 50 }, { sharePPM: 100_000, soak: '2d' }, { sharePPM: 500_000, soak: '2d', approvals: 2 }, { sharePPM: 1_000_000, soak: '1d' }],
  budget: { maxHarmed: 20_000, fleet: 1_200_000 },
};

/** A rollout in a state, as the server gives it. */
export function rollout(state: S['RolloutState'], more: Partial<S['Rollout']> = {}): S['Rollout'] {
  const begun = !['draft', 'proposed', 'approved', 'scheduled', 'abandoned'].includes(state);
  const stage = state === 'complete' ? 3 : begun ? 1 : 0;
  return {
    id: '43-h3k7wq2m', product: 'phone', build: 43, releaseVersion: '8.1.0', channel: 'stable', plan: plan as unknown as S['Plan'], state, stage,
    stages: plan.stages, sharePPM: begun ? plan.stages[stage]!.sharePPM : 0, ...(begun ? { stageSince: '2026-11-20T09:00:00Z' } : {}),
    author: people.li, ...(state === 'draft' ? {} : { proposer: people.li }), approvals: begun || state === 'approved' ? [{ by: people.bo, at: '2026-11-19T08:12:00Z', upTo: 1, reason: 'The lab has run it for a week.' }] : [],
    needed: [1, 1, 2, 2], missingApprovals: begun ? 1 : 0, breakGlass: [], version: 7, created: '2026-11-18T10:00:00Z', changed: '2026-11-20T09:00:00Z',
    ...more,
  };
}

export const soaking: S['Outlook'] = {
  outcome: 'undecided', sentence: '2 failures in 412 outcomes; stage 2 soaks until 2026-11-22T09:00:00Z',
  waits: [{ code: 'soaking', until: '2026-11-22T09:00:00Z', sentence: 'stage 2 soaks until 2026-11-22T09:00:00Z' }, { code: 'approval-needed', sentence: 'stage 3 (50 %) needs the word of 2 people; 1 more must approve it' }],
  findings: [],
};

export const ahead: S['Outlook'] = {
  outcome: 'undecided', sentence: '2 failures in 412 outcomes; the votes do not prove that it is good',
  waits: [{ code: 'undecided', sentence: 'the votes do not prove that it is good: 2 failures in 412 outcomes' }], findings: [],
};

export const against: S['Outlook'] = { outcome: 'halt', sentence: '31 failures in 400 outcomes; surely above 2 %', waits: [], findings: [] };

export const halted: Partial<S['Rollout']> = {
  reason: 'Boot loops on mi-3: 31 failures in 400 outcomes.',
  haltBound: { at: '2026-11-30T11:00:00Z', sentence: 'A handset that sees the halt no longer installs it, nor restarts into it. One that is kept from seeing it stops by 2026-11-30T11:00:00Z at the latest, if its clock runs: 2 d 0 h until the last word from before the halt expires, 7 h 0 m to the next poll, 7 d 0 h of restarts put off.' },
};

export const releases: S['Release'][] = [45, 44, 43, 42].map((build) => ({
  product: 'phone', build, version: `8.${build - 42}.0`, risk: build === 44 ? 'security' : 'fix', sha256: 'ab'.repeat(32), length: 4_212, state: build === 42 ? 'withdrawn' : 'live',
}));

/** Enough rollouts for a page, and for many. */
export function many(n: number): S['Rollout'][] {
  const states: S['RolloutState'][] = ['active', 'complete', 'halted', 'superseded', 'draft', 'held', 'proposed', 'scheduled', 'abandoned', 'approved'];
  const products = ['phone', 'tablet', 'watch', 'a-router-of-the-second-generation-with-a-long-name'];
  return Array.from({ length: n }, (_, i) =>
    rollout(states[i % states.length]!, {
      id: `${4300 - i}-${String(i).padStart(8, 'k')}`, build: 4300 - i, product: products[i % products.length]!, channel: i % 3 ? 'stable' : 'beta',
      author: [people.li, people.ada, people.bo][i % 3]!, changed: new Date(Date.parse('2026-11-21T11:58:00Z') - i * 5_400_000).toISOString(),
    }),
  );
}

const id = '3f9c2d41'.repeat(8);

export function event(state: string, more: Partial<S['Event']> = {}): S['Event'] {
  const complete = state === 'complete' || state === 'published';
  return {
    id, words: 'kadon melas fovil badan turop senik rolam vitus', kind: 'release', product: 'phone', build: 44, state, sequence: 12, version: 3,
    sentence: {
      open: 'it waits for signatures', complete: 'enough people have signed; publish it with `candor-signer event publish ID`', published: 'it is published',
      rejected: 'it was rejected; make another proposal that answers the reasons', expired: 'it was not signed in time; make it again with `candor-signer event renew ID`',
      superseded: 'something else was published meanwhile, and it starts from what was there before; make it again with `candor-signer event renew ID`',
    }[state] ?? state,
    opened: '2026-11-20T08:00:00Z', openedBy: 'Li Na', changed: '2026-11-21T09:30:00Z', expires: '2027-03-20T08:00:00Z',
    roles: [{ role: 'releases-phone', version: 9, threshold: 2, complete, signed: complete ? ['Dora Fang', 'Emil Zhou'] : ['Dora Fang'], waiting: complete ? [] : ['Emil Zhou', 'Gil Ortega'] }],
    statements: [{ holder: 'Dora Fang', at: '2026-11-20T08:00:00Z', image: 'builder' }, ...(complete ? [{ holder: 'Emil Zhou', at: '2026-11-21T09:30:00Z', image: 'recomputed' }] : [])],
    rejections: [], remarks: [], ...more,
  };
}
