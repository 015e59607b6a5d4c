import type { S } from '../../api/client';
import { admin } from '../../stories/fake';
import type { Story } from '../../stories/story';

const s = (id: string, more: Partial<S['Session']> = {}): S['Session'] => ({
  id, person: 'oidc:ada', name: 'Ada Lindqvist', created: '2026-11-21T08:00:00Z', seen: '2026-11-21T11:58:00Z', expires: '2026-11-22T08:00:00Z', current: false, ...more,
});

const list: S['SessionList'] = { sessions: [s('s1', { current: true }), s('k3vq7m2xw5ab', { seen: '2026-11-20T23:10:00Z' }), s('p8zt4n6yd1cd', { token: 'tq5m8x2kv7ab' })] };
const me: S['Caller'] = { ...admin, expires: '2026-11-22T08:00:00Z', idleExpires: '2026-11-21T19:58:00Z' };
const hostile = '<b onload=alert(1)>\u202e😀'.repeat(20);

export const stories: Story[] = [
  { name: 'normal', path: '/account', answers: { 'GET /v1/auth/sessions': list }, caller: me },
  {
    name: 'viewer by token', path: '/account', answers: { 'GET /v1/auth/sessions': list },
    caller: { ...me, name: "li's laptop", person: 'local:li', token: 'tq5m8x2kv7ab', grants: [{ role: 'viewer', products: ['phone', 'watch'] }], permissions: ['read'] },
  },
  { name: 'hostile', path: '/account', answers: { 'GET /v1/auth/sessions': list }, caller: { ...me, name: hostile, person: hostile.slice(0, 200) } },
  {
    name: 'ending a session', path: '/account', answers: { 'GET /v1/auth/sessions': list }, caller: me,
    act: (page) => [...page.querySelectorAll<HTMLElement>('tbody button.button')].at(-1)?.click(),
  },
];
