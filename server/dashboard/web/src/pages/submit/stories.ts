import { event } from '../../actions/made/rollouts';
import { admin } from '../../stories/fake';
import { Reply, refuse, type Asked, type Story } from '../../stories/story';

const hash = (n: number) => String(n).repeat(64);
const release = {
  spec: 'candor-release-v1', product: 'phone', build: 44,
  images: [{ slot: 'system', index: { sha256: hash(1), size: 3 }, pack: { sha256: hash(2), size: 5 } }, { slot: 'boot', index: { sha256: hash(3), size: 99 }, pack: { sha256: hash(4), size: 7_340_032 } }],
};
const proposal = JSON.stringify({
  format: 'candor-proposal-1', kind: 'release', product: 'phone', build: 44, created: '2026-11-20T08:00:00Z', base: {}, roles: [{ name: 'releases-phone', signed: '{}', signatures: [] }],
  documents: [{ path: 'releases/phone/44.json', body: JSON.stringify(release) }], statements: [{ holder: 'Dora Fang', at: '2026-11-20T08:00:00Z', image: 'builder' }], rejections: [],
});

const wait = () => new Promise((done) => setTimeout(done, 150));

// Gives files to the page, as somebody who chooses them does.
async function choose(page: HTMLElement, ...files: File[]) {
  const input = page.querySelector<HTMLInputElement>('input[type=file]')!;
  const list = new DataTransfer();
  for (const f of files) list.items.add(f);
  input.files = list.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
  await wait();
}

const file = (name: string, text: string) => new File([text], name);
const taken = { 'POST /v1/events': new Reply(201, event('open')) };
const sent = ({ body }: Asked) => ({ id: 'u1', offset: 0, size: (body as { size: number }).size, complete: (body as { sha256: string }).sha256 === hash(1) });

export const stories: Story[] = [
  { name: 'normal', path: '/submit', answers: {} },
  { name: 'a release', path: '/submit', answers: taken, act: (page) => choose(page, file('phone-44.proposal.json', proposal), file(hash(1), 'abc'), file(hash(2), 'abcde'), file(hash(3), 'short')) },
  { name: 'handed in', path: '/submit', answers: taken, act: async (page) => { await choose(page, file('phone-44.proposal.json', proposal)); page.querySelector<HTMLElement>('section .button.primary')?.click(); await wait(); } },
  { name: 'refused', path: '/submit', answers: { 'POST /v1/events': refuse(422, 'not-verified', 'field "proposal": altered after it was signed: what differs is the document releases/phone/44.json') }, act: async (page) => { await choose(page, file('phone-44.proposal.json', proposal)); page.querySelector<HTMLElement>('section .button.primary')?.click(); await wait(); } },
  { name: 'damaged blob', path: '/submit', answers: { 'POST /v1/uploads': sent }, act: async (page) => { await choose(page, file(hash(2), 'abcde')); [...page.querySelectorAll<HTMLElement>('section button')].at(-1)?.click(); await wait(); await wait(); } },
  {
    name: 'wrong files', path: '/submit', answers: {},
    act: async (page) => {
      await choose(page, file('alice.key', 'age-encryption.org/v1\n-> scrypt x 18\n'));
      await choose(page, file('x', ''));
      await choose(page, file(`<img src=x onerror=alert(1)>\u202e${'w'.repeat(200)}.json`, '{"format":"<script>alert(1)</script>"}'));
    },
  },
  { name: 'a private key', path: '/submit', answers: {}, act: (page) => choose(page, file('alice.key', 'age-encryption.org/v1\n-> scrypt x 18\n')) },
  { name: 'a page instead', path: '/submit', answers: {}, act: (page) => choose(page, file('phone-44.proposal.json', '<!doctype html><title>Sign in</title>')) },
  { name: 'cut off', path: '/submit', answers: {}, act: (page) => choose(page, file('phone-44.proposal.json', proposal.slice(0, 400))) },
  { name: 'finished files', path: '/submit', answers: { 'POST /v1/submissions': { accepted: ['7.releases-phone.json', 'releases/phone/44.json'], snapshot: 31 } }, act: async (page) => { await choose(page, file('7.releases-phone.json', '{"signed":{"_type":"targets","version":7},"signatures":[]}'), file('44.json', JSON.stringify(release))); [...page.querySelectorAll<HTMLElement>('section .button.primary')].at(-1)?.click(); await wait(); } },
  { name: 'viewer', path: '/submit', answers: {}, caller: { ...admin, grants: [{ role: 'viewer', products: [] }], permissions: ['read'] } },
];
