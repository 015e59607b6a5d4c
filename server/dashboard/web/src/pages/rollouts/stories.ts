import { hostile, many, people, rollout } from '../../actions/made/rollouts';
import type { S } from '../../api/client';
import type { Answer, Asked, Story } from '../../stories/story';

const products = { products: ['phone', 'tablet', 'watch'] };

// What a ledger with so many rollouts answers, page by page.
function ledger(n: number): Answer {
  const all = many(n);
  return ({ search }: Asked): S['RolloutList'] => {
    const state = search.get('state');
    const fit = all.filter((r) => (!state || r.state === state) && (!search.get('product') || r.product === search.get('product')) && String(r.build).startsWith(search.get('search') ?? ''));
    const from = Number(search.get('before') ?? 0);
    const limit = Number(search.get('limit') ?? fit.length);
    return { rollouts: fit.slice(from, from + limit), ...(from + limit < fit.length ? { next: String(from + limit) } : {}) };
  };
}

export const stories: Story[] = [
  { name: 'normal', path: '/rollouts', answers: { 'GET /v1/rollouts': { rollouts: many(12) }, 'GET /v1/products': products } },
  { name: '10,000 rollouts', path: '/rollouts', answers: { 'GET /v1/rollouts': ledger(10_000), 'GET /v1/products': products } },
  { name: 'a later page', path: '/rollouts?state=halted&before=50', answers: { 'GET /v1/rollouts': ledger(10_000), 'GET /v1/products': products } },
  { name: 'nothing is like that', path: '/rollouts?search=9999', answers: { 'GET /v1/rollouts': { rollouts: [] }, 'GET /v1/products': products } },
  { name: 'hostile', path: '/rollouts', answers: { 'GET /v1/products': products, 'GET /v1/rollouts': { rollouts: [rollout('active', { author: { ...people.li, name: hostile }, channel: 'c'.repeat(64), product: 'p'.repeat(64) })] } } },
];
