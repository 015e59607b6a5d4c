import type { S } from '../../api/client';
import { admin } from '../../stories/fake';
import { Reply, type Story } from '../../stories/story';

const t = (id: string, name: string, more: Partial<S['ApiToken']> = {}): S['ApiToken'] => ({
  id, name, person: 'local:build-team', role: 'engineer', products: [], scope: [], created: '2026-10-02T09:00:00Z', expires: '2026-12-31T09:00:00Z', ...more,
});

const people: S['PeopleList'] = {
  people: [
    { person: 'https://id.example.org#8f14e45f', name: 'Ada Lindqvist <ada@example.org>', seen: '2026-11-21T11:59:00Z', sessions: 2, tokens: 1 },
    { person: 'local:build-team', name: 'build-team', sessions: 0, tokens: 2 },
    { person: 'https://id.example.org#c9f0f895', name: 'Li Na <li@example.org>', seen: '2026-11-21T07:12:00Z', sessions: 1, tokens: 0 },
  ],
  groups: [
    { group: 'release-managers', grant: { role: 'operator', products: ['phone', 'watch'] } },
    { group: 'admins', grant: { role: 'admin', products: [] } },
  ],
};

const tokens: S['ApiTokenList'] = {
  tokens: [
    t('tq5m8x2kv7ab', 'ci', { scope: ['read', 'submit'], products: ['phone'] }),
    t('a7xw3k9dq2mn', 'pager', { person: 'https://id.example.org#8f14e45f', role: 'operator', scope: ['read', 'halt'], expires: undefined }),
    t('r4nb6v1cz8pq', 'old laptop', { revoked: '2026-11-01T10:00:00Z' }),
  ],
};

const hostile = '<img src=x onerror=alert(1)>\u202e😀'.repeat(12);
const answers = { 'GET /v1/people': people, 'GET /v1/api-tokens': tokens, 'GET /v1/products': { products: ['phone', 'watch'] } };
const made: S['MadeApiToken'] = { id: 'n3w', token: `candor_${'Q7x'.repeat(14)}A`, warning: 'this token never expires: whoever finds it in ten years may still use it; revoke it as soon as nobody needs it' };
const press = (page: HTMLElement, words: string) => [...page.querySelectorAll<HTMLElement>('button')].find((b) => b.textContent?.includes(words))?.click();
const opened = () => new Promise((done) => setTimeout(done, 100));

export const stories: Story[] = [
  { name: 'normal', path: '/people', answers },
  { name: 'viewer', path: '/people', answers, caller: { ...admin, permissions: ['read'], grants: [{ role: 'viewer', products: [] }] } },
  { name: 'making a token', path: '/people', answers, act: (page) => press(page, 'Make a token') },
  {
    name: 'a token is made', path: '/people', answers: { ...answers, 'POST /v1/api-tokens': new Reply(201, made) },
    act: async (page) => {
      press(page, 'Make a token');
      await opened();
      const name = document.querySelector<HTMLInputElement>('dialog[open] input')!;
      name.value = 'ci';
      name.dispatchEvent(new Event('input', { bubbles: true }));
      press(page, 'Make the token');
    },
  },
  { name: 'revoking', path: '/people', answers, act: (page) => press(page, 'Revoke') },
  {
    name: 'hostile', path: '/people',
    answers: {
      ...answers,
      'GET /v1/people': { people: [{ ...people.people[0]!, name: hostile, person: hostile }], groups: [{ group: hostile, grant: { role: 'admin', products: [hostile] } }] },
      'GET /v1/api-tokens': { tokens: [t('x', hostile, { person: hostile, products: [hostile] })] },
    },
  },
];
