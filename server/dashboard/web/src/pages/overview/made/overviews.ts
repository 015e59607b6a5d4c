// Overviews of made-up installations.
import type { S } from '../../../api/client';
import { made } from '../../rollout/made/states';
import { at, version } from '../../rollout/made/world';

type Brief = S['RolloutBrief'];

/** A rollout of the rollout page's stories as lists have it. */
export function brief(name: keyof typeof made, change: Partial<Brief> = {}): Brief {
  const r = made[name]!.rollout;
  const h = made[name]!.health;
  return {
    id: r.id, product: r.product, build: r.build, version, channel: r.channel ?? '', state: r.state, stage: r.stage, stages: r.stages,
    sharePPM: r.sharePPM, stageSince: r.stageSince, kind: 'normal', reason: r.reason, sentence: r.outlook?.sentence ?? '', outcome: r.outlook?.outcome,
    waits: r.outlook?.waits ?? [], missingApprovals: r.missingApprovals, rate: h.rate, haltBound: r.haltBound, changed: r.changed, etag: r.version,
    ...change,
  };
}

function product(name: string, newest: number, release: string, rollouts: Brief[], change: Partial<S['ProductBrief']> = {}): S['ProductBrief'] {
  return {
    name, rollouts, halted: rollouts.filter((r) => r.state === 'halted').length, drafts: 0,
    newest: { product: name, build: newest, version: release, sha256: 'a'.repeat(64), published: at('4d') } as unknown as S['Release'],
    ...change,
  };
}

function role(name: string, days: number, change: Partial<S['SigningRole']> = {}): S['SigningRole'] {
  const state = days < 0 ? 'expired' : days < 7 ? 'urgent' : days < 30 ? 'soon' : 'ok';
  const by = at(`${days < 0 ? '' : '+'}${Math.abs(days)}d 2h`);
  return {
    role: name, version: 12, expires: by, by, command: 'candor-signer sign', threshold: 2, online: false, state,
    keys: [{ id: 'b'.repeat(64), holder: 'Lin Wei' }, { id: 'c'.repeat(64), holder: 'Priya Raman' }],
    sentence: days < 0 ? `${name} has expired: Lin Wei and Priya Raman must sign it now` : `${name}: Lin Wei and Priya Raman must sign again before it expires`,
    ...change,
  };
}

const online = (name: string, days: number) => role(name, days, { online: true, state: 'ok', threshold: 1, sentence: `The server signs ${name} by itself.` });

const roles: S['SigningRole'][] = [
  online('timestamp', 1), online('snapshot', 6), online('rollouts', 6),
  role('releases-xiaomi-optin', 24, { product: 'xiaomi-optin' }),
  role('releases-mi-band', 88, { product: 'mi-band' }), role('targets', 141), role('root', 309),
];

const band = brief('two failures in 400', {
  id: '7-qz4mk2ae', product: 'mi-band', build: 7, version: '2.1.0 heart rate', sharePPM: 10_000,
});

const scheduled = brief('scheduled', { id: '12-w8rt3nnc', product: 'mi-router', build: 12, version: 'ROM 2.9.66' });

const approval: S['Attention'] = {
  kind: 'approval', severity: 'soon', sentence: 'Stage 3 (50 %) of xiaomi-optin 42 needs the word of 1 more person', since: at('40m'), until: at('+3h 10m'),
  product: 'xiaomi-optin', rollout: '42-h3k7wq2m', mine: true,
};
const expiry: S['Attention'] = {
  kind: 'expiry', severity: 'soon', sentence: 'releases-xiaomi-optin expires in 24 days; Lin Wei and Priya Raman must sign it again', since: at('6d'), until: at('+24d'), product: 'xiaomi-optin', role: 'releases-xiaomi-optin',
};
const event: S['Attention'] = {
  kind: 'event', severity: 'notice', sentence: 'mi-router 13 waits for 1 more signature of 2', since: at('5h'), product: 'mi-router', event: 'ev-5kq2m8', mine: true,
};
const haltedNow: S['Attention'] = {
  kind: 'halted', severity: 'now', sentence: 'xiaomi-optin 42 was halted: 31 failures in 612 outcomes, more than the 2 % that is accepted', since: at('2h 13m'),
  product: 'xiaomi-optin', rollout: '42-h3k7wq2m', mine: true,
};
const withdraw: S['Attention'] = {
  kind: 'halted', severity: 'soon', sentence: 'xiaomi-optin 42 is halted and still signed; its engineers should withdraw it: candor-signer withdraw', since: at('2h 13m'), product: 'xiaomi-optin', rollout: '42-h3k7wq2m',
};

const still = product('mi-router', 12, 'ROM 2.9.66', [scheduled]);

export const normal: S['Overview'] = {
  at: at('4m'),
  attention: [approval, expiry, event],
  products: [product('xiaomi-optin', 42, version, [brief('active')]), product('mi-band', 7, '2.1.0 heart rate', [band], { drafts: 1 }), still],
  roles,
};

export const calm: S['Overview'] = {
  at: at('4m'), attention: [], roles: roles.map((r) => ({ ...r, state: 'ok' as const })),
  products: [product('xiaomi-optin', 42, version, [brief('ready')])],
};

export const halted: S['Overview'] = {
  at: at('4m'), attention: [haltedNow, withdraw, event], roles,
  products: [product('mi-band', 7, '2.1.0 heart rate', [band]), product('xiaomi-optin', 42, version, [brief('halted')]), still],
};

export const expired: S['Overview'] = {
  ...normal,
  attention: [
    { kind: 'expiry', severity: 'now', sentence: 'releases-xiaomi-optin expired 3 days ago: handsets refuse every release of it until Lin Wei and Priya Raman sign it', since: at('3d'), product: 'xiaomi-optin', role: 'releases-xiaomi-optin' },
    { kind: 'trouble', severity: 'now', sentence: 'server-2 has not been seen for 14 minutes', since: at('14m') },
    event,
  ],
  roles: [role('releases-xiaomi-optin', -3, { product: 'xiaomi-optin' }), role('releases-mi-band', 4, { product: 'mi-band' }), ...roles.slice(0, 3), ...roles.slice(5)],
};

export const empty: S['Overview'] = { at: at('1m'), attention: [], products: [], roles: [online('timestamp', 1), role('root', 365)] };

const names = ['camera', 'charger', 'cooker', 'doorbell', 'fan', 'gateway', 'humidifier', 'lamp', 'lock', 'pad', 'plug', 'scale', 'scooter', 'sensor', 'speaker', 'thermostat', 'tv', 'vacuum', 'valve', 'watch'];

const family = (i: number) => `mi-${names[i % 20]}-${Math.floor(i / 20) + 1}`;

/** 200 products, most of them quiet. */
export const many: S['Overview'] = {
  at: at('4m'),
  attention: [approval, ...Array.from({ length: 19 }, (_, i): S['Attention'] => ({
    kind: 'draft', severity: 'notice', sentence: `mi-${names[i]}-1 has a draft that nobody has touched for ${i + 9} days`, since: at(`${i + 9}d`), product: `mi-${names[i]}-1`,
  }))],
  products: Array.from({ length: 200 }, (_, i) => {
    const name = i === 0 ? 'xiaomi-optin' : family(i);
    const build = 3 + ((i * 7) % 50);
    const some = [brief('active'), brief('ready'), brief('held'), scheduled, band][i % 5]!;
    const moves = i % 17 === 0;
    return product(name, build, `1.${i % 9}.${i % 4}`, moves ? [{ ...some, id: `${build}-${name}`, product: name, build, version: `1.${i % 9}.${i % 4}` }] : [], {
      complete: moves ? undefined : brief('complete', { id: `${build}-${name}`, product: name, build, version: `1.${i % 9}.${i % 4}` }),
    });
  }),
  roles: [...roles.slice(0, 3), ...Array.from({ length: 200 }, (_, i) => role(`releases-${family(i)}`, 20 + i, { product: family(i) }))],
};

const long = 'W'.repeat(180);
const hostile = `<img src=x onerror=alert(1)>\u202eevil\u202c ${long} 🧨`;

export const nasty: S['Overview'] = {
  ...halted,
  attention: [{ ...haltedNow, sentence: hostile }, { ...event, sentence: `<script>alert(1)</script>${long}` }],
  products: [product(`a${'b'.repeat(60)}c`, 42, hostile.slice(0, 64), [brief('halted', { product: `a${'b'.repeat(60)}c`, reason: hostile, version: hostile.slice(0, 64) })])],
  roles: [role(`releases-a${'b'.repeat(60)}c`, 12, { product: `a${'b'.repeat(60)}c`, sentence: hostile })],
};

/** Versions in the field, with a day in which nothing is known. */
export function versions(name: string): S['Versions'] {
  const points = Array.from({ length: 60 }, (_, i) => ({
    at: at(`${(59 - i) * 6}h`),
    healthy: [i < 47 ? null : Math.round(4096 * ((i - 46) / 13) ** 1.6), i < 12 ? Math.round(140 * i) : i === 30 ? null : Math.round(1680 + 2300 * (1 - Math.exp(-(i - 12) / 16))), Math.round(3400 + 4 * i), 2900],
  }));
  return {
    product: name, at: at('4m'), points,
    builds: [{ build: 42, version: 'MIUI 5.4.9' }, { build: 41, version: 'MIUI 5.4.8' }, { build: 40, version: 'MIUI 5.4.7' }, { build: 39, version: 'MIUI 5.4.6' }],
  };
}
