import { ahead, against, halted, hostile, many, people, releases, rollout, soaking } from '../actions/made/rollouts';
import { type S } from '../api/client';
import { admin } from './fake';
import { never, refuse, Reply, type Answer, type Story } from './story';

const path = '/rollouts/43-h3k7wq2m';
const api = `/v1${path}`;
const view = () => import('./actions.svelte');
const wait = () => new Promise((done) => setTimeout(done, 120));
const press = (page: HTMLElement, label: string) => [...page.querySelectorAll<HTMLElement>('main button')].find((b) => b.textContent?.includes(label))?.click();
const key = (k: string, code: string, shiftKey = false) => (document.querySelector('dialog[open] [tabindex="-1"]') ?? document.body).dispatchEvent(new KeyboardEvent('keydown', { key: k, code, shiftKey, bubbles: true, cancelable: true }));
const running: Answer = { rollouts: many(14).filter((r) => ['active', 'held', 'scheduled'].includes(r.state)) };

const story = (name: string, r: S['Rollout'], more: Partial<Story> = {}, answers: Record<string, Answer> = {}): Story => ({
  name, path, view, answers: { [`GET ${api}`]: r, 'GET /v1/rollouts': { rollouts: [] }, 'GET /v1/products/phone/releases': { releases }, ...answers }, ...more,
});
const opened = (name: string, r: S['Rollout'], label: string, answers: Record<string, Answer> = {}, then?: (page: HTMLElement) => void): Story =>
  story(name, r, {
    act: async (page) => {
      press(page, label);
      await wait();
      then?.(page);
      await wait();
    },
  }, answers);
const submit = (page: HTMLElement) => page.querySelector<HTMLElement>('dialog[open] button[type=submit]')?.click();
const why = (page: HTMLElement) => {
  const t = page.querySelector<HTMLTextAreaElement>('dialog[open] textarea');
  if (t) {
    t.value = 'The lab has run it for a week.';
    t.dispatchEvent(new Event('input', { bubbles: true }));
  }
  submit(page);
};

const states: S['RolloutState'][] = ['draft', 'proposed', 'approved', 'scheduled', 'active', 'held', 'complete', 'superseded', 'abandoned'];
const active = rollout('active', { outlook: ahead, missingApprovals: 1 });
const done = (more: Partial<S['Rollout']>) => new Reply(200, rollout('halted', { ...halted, ...more }));

export const stories: Story[] = [
  ...states.map((s) => story(s, rollout(s, s === 'active' ? { outlook: soaking } : {}))),
  story('halted', rollout('halted', halted)),
  story('own request', rollout('proposed', { author: people.ada, proposer: people.ada })),
  story('votes against it', rollout('active', { outlook: against })),
  story('engineer', active, { caller: { ...admin, grants: [{ role: 'engineer', products: [] }], permissions: ['read', 'submit', 'halt'] } }),
  story('viewer', active, { caller: { ...admin, grants: [{ role: 'viewer', products: [] }], permissions: ['read'] } }),
  opened('advance', active, 'Advance'),
  opened('advance without a reason', active, 'Advance', {}, submit),
  opened('advance under way', active, 'Advance', { [`POST ${api}/advance`]: never }, why),
  opened('advance refused', active, 'Advance', { [`POST ${api}/advance`]: refuse(409, 'pace', 'the engineers signed a pace that reaches 50 % from 2026-11-24T09:00:00Z on; it is 20 % now') }, why),
  story('somebody was quicker', active, { act: async (page) => { press(page, 'Advance'); await wait(); why(page); await wait(); } }, {
    [`GET ${api}`]: (() => { let n = 0; return () => (n++ ? rollout('held', { version: 8, reason: 'A look at the logs.' }) : active); })(),
    [`POST ${api}/advance`]: refuse(412, 'stale', 'the rollout is at version 8, not 7; look again'),
  }),
  opened('approve', rollout('proposed'), 'Approve'),
  opened('resume after a halt', rollout('halted', { ...halted, resume: { by: people.bo, at: '2026-11-21T10:00:00Z', upTo: 1, reason: 'The cable of the lab handset was loose.' } }), 'Approve the resumption'),
  opened('break the glass', rollout('active', { outlook: soaking }), 'Break the glass'),
  opened('supersede', active, 'Supersede'),
  opened('rescue', rollout('halted', halted), 'Rescue'),
  opened('nothing newer', active, 'Supersede', { 'GET /v1/products/phone/releases': { releases: [] } }),
  opened('hostile', rollout('halted', { ...halted, resume: { by: { id: 'x', name: hostile }, at: '2026-11-21T10:00:00Z', upTo: 1, reason: hostile } }), 'Approve the resumption'),
  opened('HALT', active, 'HALT', { [`POST ${api}/halt`]: done({}) }),
  opened('HALT without an answer', active, 'HALT', { [`POST ${api}/halt`]: refuse(503, 'busy', 'The ledger does not answer.') }, () => void wait()),
  opened('HALT refused', active, 'HALT', { [`POST ${api}/halt`]: refuse(409, 'conflict', 'the rollout is superseded; nothing can be done about it') }),
  story('HALT list', active, { path: '/approvals', act: async () => { key('H', 'KeyH', true); await wait(); await wait(); } }, { 'GET /v1/rollouts?state=active&limit=50': running, 'GET /v1/approvals': {} }),
  story('HALT by two keys', active, { act: async () => { key('H', 'KeyH', true); await wait(); await wait(); key('1', 'Digit1'); await wait(); } }, { 'GET /v1/rollouts?state=active&limit=50': { rollouts: [active] }, [`POST ${api}/halt`]: done({}) }),
  story('nothing runs', active, { act: async () => { key('H', 'KeyH', true); await wait(); await wait(); } }),
  story('keys', active, { act: async () => { key('?', 'Slash', true); await wait(); } }),
];
