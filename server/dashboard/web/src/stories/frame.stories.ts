import { admin } from './fake';
import { refuse, type Story } from './story';

const hostile = '<img src=x onerror=alert(1)>\u202eelgoog\u2066😀'.repeat(6);

export const stories: Story[] = [
  { name: 'not found', path: '/nowhere', answers: {} },
  { name: 'reconnecting', path: '/nowhere', answers: {}, live: 'reconnecting' },
  { name: 'stale', path: '/nowhere', answers: {}, live: 'stale' },
  { name: 'hostile name', path: '/nowhere', answers: {}, caller: { ...admin, name: hostile } },
  { name: 'viewer', path: '/nowhere', answers: {}, caller: { ...admin, grants: [{ role: 'viewer', products: [] }], permissions: ['read'] } },
  { name: 'menu', path: '/nowhere', answers: {}, act: (page) => page.querySelector<HTMLElement>('button[aria-controls=navigation]')?.click() },
  { name: 'no answer', path: '/nowhere', answers: { 'GET /v1/auth/session': refuse(503, 'busy', 'The ledger does not answer.', { 'Retry-After': '30' }) } },
];
