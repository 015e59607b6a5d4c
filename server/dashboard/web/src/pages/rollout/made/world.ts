// The running example: Xiaomi's fix of August 2014, which makes cloud messaging
// opt-in. People, moments and plans of the stories.
import type { S } from '../../../api/client';

/** The moment at which all stories take place. */
export const now = Date.parse('2014-08-13T03:00:10Z');

const unit = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

/** A moment before now ("2d", "3h") or, with "+" in front, after it. */
export function at(text: string): string {
  let sum = 0;
  for (const part of text.replace('+', '').split(' ')) {
    sum += Number(part.slice(0, -1)) * unit[part.slice(-1) as keyof typeof unit];
  }
  return new Date(text.startsWith('+') ? now + sum : now - sum).toISOString().replace('.000', '');
}

export const people = {
  lin: { id: 'oidc:lin.wei', name: 'Lin Wei' },
  priya: { id: 'oidc:priya.raman', name: 'Priya Raman' },
  jonas: { id: 'oidc:jonas.weber', name: 'Jonas Weber' },
  chen: { id: 'oidc:chen.yu', name: 'Chen Yu' },
};

export const product = 'xiaomi-optin';
export const version = 'MIUI 5.4.9 (4.8.10)';
export const fleet = 1_240_000;

export const stages: S['Stage'][] = [
  { sharePPM: 10_000, soak: '1d', minVotes: 50, approvals: 0 },
  { sharePPM: 100_000, soak: '2d', minVotes: 500, approvals: 0 },
  { sharePPM: 500_000, soak: '2d', minVotes: 1000, approvals: 2 },
  { sharePPM: 1_000_000, soak: '1d', minVotes: 0, approvals: 0 },
];

export const plan: S['Plan'] = {
  product,
  build: 42,
  channel: 'stable',
  audience: { models: ['redmi-1s', 'mi-3'] },
  stages,
  kind: 'normal',
  deferral: '7d',
  window: { from: '02:00', to: '05:00' },
  spread: '30m',
  guard: { failuresPPM: 20_000, silencePPM: 10_000 },
  budget: { maxHarmed: 15_000, fleet },
};

type Some = Partial<S['Rollout']>;

/** A rollout of build 42 in its second stage, with what a story changes. */
export function rollout(change: Some = {}): S['Rollout'] {
  return {
    id: '42-h3k7wq2m',
    product,
    build: 42,
    releaseVersion: version,
    channel: 'stable',
    state: 'active',
    stage: 1,
    stages,
    sharePPM: 100_000,
    stageSince: at('44h 50m'),
    plan,
    author: people.lin,
    proposer: people.lin,
    approvals: [
      { by: people.priya, at: at('3d 1h'), reason: 'Read the label change with legal; the notice is right.', upTo: 1 },
    ],
    missingApprovals: 1,
    needed: [1, 1, 2, 2],
    breakGlass: [],
    version: 9,
    created: at('3d 4h'),
    changed: at('44h 50m'),
    ...change,
  };
}
