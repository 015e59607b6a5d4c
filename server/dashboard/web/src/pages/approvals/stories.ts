import { event, halted, hostile, people, rollout } from '../../actions/made/rollouts';
import type { S } from '../../api/client';
import { admin } from '../../stories/fake';
import type { Answer, Story } from '../../stories/story';

const proposed = rollout('proposed');
const own = rollout('proposed', { id: '44-mine2222', build: 44, author: people.ada, proposer: people.ada });
const running = rollout('active', { id: '41-run33333', build: 41 });
const stopped = rollout('halted', { id: '40-stop4444', build: 40, ...halted, resume: { by: people.bo, at: '2026-11-21T10:00:00Z', upTo: 1, reason: 'The cable of the lab handset was loose.' } });

function answers(o: { proposed?: S['Rollout'][]; halted?: S['Rollout'][]; running?: S['Rollout'][]; events?: S['Event'][] }): Record<string, Answer> {
  const attention = (o.running ?? []).map((r) => ({ kind: 'approval' as const, severity: 'soon' as const, sentence: '', since: r.changed, rollout: r.id, mine: true }));
  return {
    'GET /v1/rollouts?state=proposed&limit=500': { rollouts: o.proposed ?? [] },
    'GET /v1/rollouts?state=halted&limit=500': { rollouts: o.halted ?? [] },
    'GET /v1/rollouts?open=true&limit=500': { rollouts: o.running ?? [] },
    'GET /v1/overview': { at: '2026-11-21T12:00:00Z', products: [], attention, roles: [] },
    'GET /v1/events': { events: o.events ?? [] },
    ...Object.fromEntries([...(o.proposed ?? []), ...(o.halted ?? []), ...(o.running ?? [])].map((r) => [`GET /v1/rollouts/${r.id}`, r])),
  };
}

const full = answers({ proposed: [proposed, own], halted: [stopped], running: [running], events: [event('open'), event('complete', { id: 'a1b2c3d4'.repeat(8), kind: 'product-add', product: 'watch', build: undefined })] });

export const stories: Story[] = [
  { name: 'normal', path: '/approvals', answers: full },
  { name: 'nothing waits', path: '/approvals', answers: answers({}) },
  { name: 'viewer', path: '/approvals', answers: full, caller: { ...admin, grants: [{ role: 'viewer', products: [] }], permissions: ['read'] } },
  {
    name: 'hostile', path: '/approvals',
    answers: answers({ proposed: [rollout('proposed', { proposer: { id: 'x', name: hostile }, channel: 'c'.repeat(64) })], events: [event('open', { roles: [{ role: `releases-${'p'.repeat(60)}`, version: 1, threshold: 2, complete: false, signed: [], waiting: [hostile, 'Emil'] }] })] }),
  },
];
