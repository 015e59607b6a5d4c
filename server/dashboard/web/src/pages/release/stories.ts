import { refuse, type Story } from '../../stories/story';
import { now } from '../keys/made';
import { at, brief, detail, document, hash, listedSince, release } from './made';

const story = (name: string, answer: unknown, more: Partial<Story> = {}): Story => ({
  name, path: '/products/phone/releases/43', now, answers: { 'GET /v1/products/phone/releases/43': answer as object }, ...more,
});

const open = (page: HTMLElement) => {
  for (const d of page.querySelectorAll('details')) d.open = true;
};

const nasty = '<img src=x onerror=alert(1)> \u202Eevil\u202C \u{1F468}\u200D\u{1F680} ';

export const stories: Story[] = [
  story('normal', detail()),
  story('everything open', detail(), { act: open }),
  story('listed with another since', listedSince),
  story('first release, submitted as a file', detail({
    before: undefined, widens: undefined, event: undefined, sources: [], privacy: [], rollouts: [],
    document: document({ privacy: { collects: [] }, consent: { required: false }, votes: { minToHalt: 5 }, provenance: undefined, sbom: undefined, fixes: { en: 'The first release.' }, notes: { en: 'It begins.' } }),
    signatures: detail().signatures.map((s) => ({ ...s, keys: s.keys.map((k) => ({ key: k.key, signed: k.signed })) })),
  })),
  story('security, critical', detail({
    release: release('phone', 43, { risk: 'security' }), widens: [],
    document: document({ risk: 'security', urgency: { maxKind: 'critical', minDeferral: '1d', earliestDeadline: at(4) }, rollback: { contents: 41, from: [42] } }),
  })),
  story('withdrawn', detail({ release: release('phone', 43, { state: 'withdrawn' }), rollouts: [brief('phone', 43, 'halted', 10_000, { reason: 'wifi-down: 14 of 212 trials' })] })),
  story('many', detail({
    rollouts: Array.from({ length: 40 }, (_, i) => brief('phone', 43, i ? 'superseded' : 'active', 10_000 * (i + 1), { id: `${i}-x` })),
    document: document({
      compatible: { models: Array.from({ length: 1024 }, (_, i) => `model-${i}`) }, pace: Array.from({ length: 64 }, (_, i) => ({ after: `${i}h`, maxSharePPM: 15_000 * (i + 1) })),
      images: Array.from({ length: 32 }, (_, i) => ({
        slot: `slot-${i}`, size: 503_316_480, sha256: hash(`s${i}`), index: { sha256: hash(`i${i}`), size: 812_000 }, pack: { sha256: hash(`p${i}`), size: 241_000_000 },
        patches: Array.from({ length: 8 }, (_, k) => ({ fromSha256: hash(`f${i}${k}`), table: { sha256: hash(`t${i}${k}`), size: 48_000 }, bodySize: 11_900_000 })),
      })),
    }),
  })),
  story('hostile texts', detail({
    release: release('phone', 43, { version: 'W'.repeat(64) }), publishedBy: nasty.repeat(6), privacy: [`${'x'.repeat(64)} for ${nasty.repeat(20)}: off by default, stored retained`], widens: [nasty],
    document: document({ notes: { en: 'N'.repeat(500), ar: 'ملاحظات', 'zh-hant': nasty }, fixes: { en: nasty.repeat(5), ar: 'إصلاح' }, compatible: { models: ['m'.repeat(64)] } }),
    rollouts: [brief('phone', 43, 'halted', 10_000, { reason: 'R'.repeat(500), channel: 'c'.repeat(64) })],
  }), { act: open }),
  story('not there', refuse(404, 'not-found', 'there is no such thing')),
];
