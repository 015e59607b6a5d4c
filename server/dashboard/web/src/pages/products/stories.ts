import type { S } from '../../api/client';
import type { Story } from '../../stories/story';
import { byPeople, now } from '../keys/made';
import { brief, release } from '../release/made';

const engineers = ['Ines Prado', 'Jun Sato'];

function product(name: string, more: Partial<S['ProductBrief']> = {}): S['ProductBrief'] {
  return { name, newest: release(name, 43), rollouts: [brief(name, 43, 'active', 50_000)], halted: 0, drafts: 0, ...more };
}

function overview(products: S['ProductBrief'][], days = 47): S['Overview'] {
  return { at: now, products, attention: [], roles: products.map((p, i) => byPeople(`releases-${p.name}`, engineers, days - i, 120)) };
}

const usual = [
  product('phone'),
  product('tablet', { rollouts: [brief('tablet', 12, 'halted', 10_000), brief('tablet', 11, 'held', 200_000)], halted: 1, newest: release('tablet', 12, { version: '6.12-rc1' }) }),
  product('watch', { rollouts: [], newest: release('watch', 7, { state: 'withdrawn' }) }),
  product('router', { rollouts: [], newest: undefined }),
];

const story = (name: string, answer: unknown, more: Partial<Story> = {}): Story => ({ name, path: '/products', now, answers: { 'GET /v1/overview': answer as object }, ...more });

export const stories: Story[] = [
  story('normal', overview(usual)),
  story('lists expire', overview(usual, 2)),
  story('500 products', overview(Array.from({ length: 500 }, (_, i) => product(`model-${String(i).padStart(3, '0')}`)))),
  story('hostile texts', overview([
    product('x'.repeat(64), { newest: release('x', 43, { version: '\u202E<b>evil</b>\u{1F468}\u200D\u{1F680}' }) }),
    product('w-'.repeat(31), { newest: release('x', 9_007_199_254_740_991, { version: 'W'.repeat(64) }) }),
  ])),
  story('empty', overview([])),
];
