import type { S } from '../../api/client';
import { admin } from '../../stories/fake';
import type { Asked, Story } from '../../stories/story';
import { hash } from '../release/made';

const now = '2026-11-21T12:00:00Z';

type Entry = S['AuditEntry'];

const kinds: [string, string, string, string?, unknown?][] = [
  ['server', 'rollout.advance', '43-q2', 'stage 2: 212 trials, 1 failed, the limit is 1 %', { product: 'phone', build: 43, stage: 2, sharePPM: 50_000 }],
  ['Ana Lima', 'rollout.approve', '43-q2', 'lab is fine', { product: 'phone', upTo: 1_000_000 }],
  ['Bo Chen (token ci)', 'event.sign', hash('event'), undefined, { kind: 'release', product: 'phone', build: 43, people: ['Ines Prado'] }],
  ['server', 'rollout.halt', '41-a7', 'wifi-down: 14 of 212 trials failed, and the limit is 2 %', { product: 'phone', build: 41, failed: 14, of: 212 }],
  ['Cem Aydın', 'auth.sign-in', 'Cem Aydın'],
  ['Ines Prado (token build)', 'release.add', 'phone build 43', undefined, { version: '6.43', sha256: hash('phone43') }],
  ['Dora Lind', 'token.new', 'ci', 'for the build machine', { role: 'engineer', products: ['phone'] }],
];

function entries(n: number, from: number): Entry[] {
  return Array.from({ length: n }, (_, i) => {
    const seq = from - i;
    const [who, what, subject, why, detail] = kinds[i % kinds.length]!;
    const at = new Date(Date.parse(now) - i * i * 9_000 - 40_000).toISOString();
    return { seq, at, who, what, subject, prev: hash(`${seq - 1}`), hash: hash(`${seq}`), ...(why ? { why } : {}), ...(detail ? { detail } : {}) } as Entry;
  });
}

const head = (seq: number): S['AuditHead'] => ({ seq, hash: hash(`${seq}`), words: seq ? 'kalas merik fovil buden karuk molos beldon fuvul' : '' });

const page = (list: Entry[], seq: number, next?: number): S['AuditPage'] => ({ entries: list, head: head(seq), ...(next ? { next } : {}) });

const story = (name: string, answer: unknown, more: Partial<Story> = {}): Story => ({ name, path: '/audit', now, answers: { 'GET /v1/audit': answer as object }, ...more });

const open = (at: HTMLElement) => {
  for (const d of at.querySelectorAll('details')) d.open = true;
};

const nasty = '<img src=x onerror=alert(1)> \u202Eevil\u202C \u{1F468}\u200D\u{1F680} ';
const hostile = entries(4, 40).map((e, i) => ({
  ...e, who: [nasty, 'W'.repeat(256), '"><script>alert(1)</script>', '\u202E'.repeat(20)][i]!, subject: ['S'.repeat(256), nasty, "'; DROP TABLE audit; --", ''][i]!,
  why: ['R'.repeat(500), nasty.repeat(9), '', '\u200F\u202E!'][i]!, detail: { [nasty]: 'D'.repeat(500) },
})) as Entry[];

export const stories: Story[] = [
  story('normal', (asked: Asked) => (asked.search.get('before') === '0' ? page(entries(100, 1_204_833), 1_204_833, 1_204_734) : page(entries(100, Number(asked.search.get('before')) - 1), 1_204_833, 12))),
  story('details', page(entries(7, 7), 7), { act: open }),
  story('narrowed', page(entries(7, 1_204_833).filter((e) => e.what.startsWith('rollout.')), 1_204_833), { path: '/audit?what=rollout.&since=2026-11-20T00:00:00Z' }),
  story('a rare name', page(entries(2, 900_000), 1_204_833, 704_833), { path: '/audit?who=Lind' }),
  story('nothing fits', page([], 1_204_833), { path: '/audit?subject=99-none' }),
  story('further back', page(entries(20, 20), 1_204_833), { path: '/audit?before=21' }),
  story('a viewer', page(entries(7, 7), 7), { caller: { ...admin, grants: [{ role: 'viewer', products: [] }], permissions: ['read'] }, live: 'reconnecting' }),
  story('hostile texts', page(hostile, 40), { act: open }),
  story('empty', page([], 0)),
];
