import { releases, rollout } from '../../actions/made/rollouts';
import { admin } from '../../stories/fake';
import { refuse, type Answer, type Story } from '../../stories/story';

const none = refuse(503, 'not-configured', 'the root of trust is not there yet');
const root = { at: '2026-11-21T12:00:00Z', roles: [{ role: 'root', version: 1, expires: '2027-11-01T00:00:00Z', threshold: 2, keys: [], online: false, state: 'ok', sentence: '' }] };

const nothing: Record<string, Answer> = { 'GET /v1/keys': none, 'GET /v1/products': { products: [] }, 'GET /v1/rollouts': { rollouts: [] } };
const released: Record<string, Answer> = { ...nothing, 'GET /v1/keys': root, 'GET /v1/products': { products: ['phone'] }, 'GET /v1/products/phone/releases': { releases: releases.slice(2, 3) } };
const done: Record<string, Answer> = {
  ...released, 'GET /v1/rollouts': { rollouts: [rollout('active')] },
  'GET /v1/products/phone/releases/43/counts': { product: 'phone', build: 43, attempts: 31, trials: 28, healthy: 28, rolledBack: 0, refusals: 0, regressions: 0, refused: 0, reasons: {} },
};

export const stories: Story[] = [
  { name: 'nothing yet', path: '/guide', answers: nothing },
  { name: 'a root', path: '/guide', answers: { ...nothing, 'GET /v1/keys': root } },
  { name: 'a release', path: '/guide', answers: released },
  { name: 'done', path: '/guide', answers: done },
  { name: 'viewer', path: '/guide', answers: released, caller: { ...admin, grants: [{ role: 'viewer', products: [] }], permissions: ['read'] } },
];
