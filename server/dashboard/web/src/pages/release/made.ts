// Releases for stories, as the server would tell of them.
import type { S } from '../../api/client';
import { key, now } from '../keys/made';

export const at = (days: number) => new Date(Date.parse(now) + days * 86_400_000).toISOString();

/** A hash that looks like one, by its seed. */
export function hash(seed: string): string {
  let h = 2_166_136_261;
  let out = '';
  for (let i = 0; out.length < 64; i++) {
    for (const c of `${seed}${i}`) h = Math.imul(h ^ c.codePointAt(0)!, 16_777_619) >>> 0;
    out += h.toString(16).padStart(8, '0');
  }
  return out;
}

export function release(product: string, build: number, more: Partial<S['Release']> = {}): S['Release'] {
  return { product, build, version: `6.${build}`, risk: 'fix', sha256: hash(`${product}${build}`), length: 8123, state: 'live', published: at(-3), ...more };
}

export function brief(product: string, build: number, state: S['RolloutState'], sharePPM: number, more: Partial<S['RolloutBrief']> = {}): S['RolloutBrief'] {
  const stages = [{ sharePPM: 10_000, soak: '6h' }, { sharePPM: 50_000, soak: '1d' }, { sharePPM: 200_000, soak: '1d' }, { sharePPM: 1_000_000, soak: '3d' }];
  return {
    id: `${build}-${state}`, product, build, version: `6.${build}`, channel: 'stable', state, stage: stages.findIndex((s) => s.sharePPM >= sharePPM), stages, sharePPM,
    stageSince: at(-0.4), kind: 'normal', sentence: `the rollout is ${state}`, changed: at(-0.4), etag: 12, ...more,
  };
}

const blob = (seed: string, size: number) => ({ sha256: hash(seed), size });

/** A signed document, as engineers write it. */
export function document(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    spec: 'candor-release-v1', product: 'phone', version: '6.43', build: 43, securityEpoch: 4, compatible: { models: ['mi3', 'mi3-pro', 'mi4c'], minBuild: 38 },
    images: [
      {
        slot: 'system', size: 503_316_480, sha256: hash('s43'), index: blob('is43', 812_000), pack: blob('ps43', 241_000_000),
        patches: [{ fromSha256: hash('s42'), table: blob('ts42', 48_000), bodySize: 11_900_000 }, { fromSha256: hash('s41'), table: blob('ts41', 61_000), bodySize: 19_400_000 }, { fromSha256: hash('s30'), table: blob('t', 90_000), bodySize: 61_000_000 }],
      },
      { slot: 'boot', size: 67_108_864, sha256: hash('b43'), index: blob('ib43', 110_000), pack: blob('pb43', 22_100_000), patches: [{ fromSha256: hash('b42'), table: blob('tb42', 2_000), bodySize: 640_000 }] },
    ],
    notBefore: at(-3), offerUntil: at(87), supportUntil: at(700), pace: [{ after: '0s', maxSharePPM: 10_000 }, { after: '1d', maxSharePPM: 200_000 }, { after: '3d', maxSharePPM: 1_000_000 }],
    urgency: { maxKind: 'normal', minDeferral: '3d' }, risk: 'fix',
    fixes: { en: 'Bluetooth stays connected when the screen turns off.', de: 'Bluetooth bleibt verbunden, wenn der Bildschirm ausgeht.', zh: '屏幕关闭时蓝牙保持连接。' },
    notes: {
      en: 'The Bluetooth stack no longer loses its connection when the screen turns off.\n\nThe camera starts 0.3 s faster. Kernel 6.6.58.',
      de: 'Der Bluetooth-Stack verliert die Verbindung nicht mehr, wenn der Bildschirm ausgeht.\n\nDie Kamera startet 0,3 s schneller.',
      zh: '屏幕关闭时，蓝牙不再断开连接。',
    },
    privacy: { collects: [{ data: 'crash-logs', purpose: { en: 'finding faults' }, default: 'off', stored: 'retained' }], change: { en: 'It may keep crash logs, if you turn that on.' } },
    consent: { required: true, notice: { en: 'This build can keep crash logs for 90 days, if you turn that on. Nothing is kept unless you do.' } },
    offline: true, votes: { minToHalt: 8, primary: {}, spare: {} }, provenance: blob('prov', 4_812), sbom: { format: 'spdx-json', ...blob('sbom', 1_204_511) }, ...more,
  };
}

const holders = ['Ines Prado', 'Jun Sato', 'Karim Aziz'];
const roots = ['Dora Lind', 'Emil Novák', 'Fay Wong'];

function by(role: string, version: number, people: string[], listing: boolean, words?: string[]): S['SignedBy'] {
  return {
    role, version, threshold: 2, listing, ...(listing ? { expires: at(80) } : {}),
    keys: people.map((p, i) => ({ key: key(i + role.length, p), signed: i < 2, ...(words && i < 2 ? { at: at(-3.1 + i / 20), image: words[i] } : {}) })),
  };
}

export function detail(more: Partial<S['ReleaseDetail']> = {}): S['ReleaseDetail'] {
  return {
    release: release('phone', 43), published: at(-3), publishedBy: 'Ines Prado (token ci)', document: document(),
    privacy: ['crash-logs for finding faults: off by default, stored retained'], before: 42, widens: ['collects crash-logs, which was not collected before'],
    sources: [{ sha256: hash('s42'), slot: 'system', build: 42, version: '6.42' }, { sha256: hash('s41'), slot: 'system', build: 41, version: '6.41' }, { sha256: hash('b42'), slot: 'boot', build: 42, version: '6.42' }],
    signatures: [by('releases-phone', 7, holders, true, ['builder', 'recomputed']), by('targets', 4, roots, true), by('root', 2, roots, true)],
    event: hash('event'), rollouts: [brief('phone', 43, 'active', 50_000)], ...more,
  };
}

/** Another release was listed since, so the list has been signed anew. */
export const listedSince = detail({
  signatures: [by('releases-phone', 7, holders, false, ['builder', 'without']), by('releases-phone', 9, holders, true), by('targets', 4, roots, true), by('root', 2, roots, true)],
});
