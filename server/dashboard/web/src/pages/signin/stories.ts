import { refuse, type Story } from '../../stories/story';

const both = { oidc: true, token: true, provider: 'id.example.org' };

async function submit(page: HTMLElement, token: string) {
  const input = page.querySelector<HTMLInputElement>('input[name=token]')!;
  input.value = token;
  input.dispatchEvent(new Event('input', { bubbles: true }));
  page.querySelector<HTMLElement>('button[type=submit]')!.click();
}

const bare = { path: '/sign-in?next=/rollouts/7-a', caller: null } as const;

export const stories: Story[] = [
  { ...bare, name: 'normal', answers: { 'GET /v1/auth/ways': both } },
  { ...bare, name: 'token only', answers: { 'GET /v1/auth/ways': { oidc: false, token: true } } },
  { ...bare, name: 'provider only', answers: { 'GET /v1/auth/ways': { oidc: true, token: false, provider: 'id.example.org' } } },
  { ...bare, name: 'no way', answers: { 'GET /v1/auth/ways': { oidc: false, token: false } } },
  { ...bare, name: 'hostile provider', answers: { 'GET /v1/auth/ways': { ...both, provider: 'x'.repeat(200) + '<script>\u202e' } } },
  {
    ...bare, name: 'wrong token',
    answers: { 'GET /v1/auth/ways': both, 'POST /v1/auth/token': refuse(401, 'unauthorized', 'a valid token, or signing in, is needed') },
    act: (page) => submit(page, 'candor_wrong'),
  },
  {
    ...bare, name: 'too many tries',
    answers: { 'GET /v1/auth/ways': both, 'POST /v1/auth/token': refuse(429, 'rate-limited', 'too many tries; again in 3s', { 'Retry-After': '3' }) },
    act: (page) => submit(page, 'candor_wrong'),
  },
  { ...bare, name: 'no token given', answers: { 'GET /v1/auth/ways': both }, act: (page) => submit(page, '') },
];
