// Roles for stories, as the server would tell of them.
import type { S } from '../../api/client';

type Role = S['SigningRole'];

export const now = '2026-11-21T12:00:00Z';

const day = 86_400_000;
const at = (days: number) => new Date(Date.parse(now) + days * day).toISOString().replace(/\.\d+Z$/, 'Z');

/** A key by its number and holder. */
export function key(n: number, holder?: string, roles?: string[]): S['SigningKey'] {
  const id = Array.from({ length: 8 }, (_, i) => ((n + 1) * 2_654_435_761 * (i + 3)).toString(16).slice(-8).padStart(8, '0')).join('').slice(0, 64);
  return { id, holder: holder ?? id, algorithm: n % 3 === 2 ? 'P-256' : 'Ed25519', ...(roles ? { roles } : {}) };
}

function state(days: number, online: boolean): Role['state'] {
  if (days < 0) return 'expired';
  if (online) return 'ok';
  return days < 14 ? 'urgent' : days <= 30 ? 'soon' : 'ok';
}

const root = ['Dora Lind', 'Emil Novák', 'Fay Wong'];
const engineers = ['Ines Prado', 'Jun Sato', 'Karim Aziz'];

/** A role that people sign, by a number of days from now. */
export function byPeople(role: string, people: string[], days: number, expires = days): Role {
  const product = role.startsWith('releases-') ? role.slice('releases-'.length) : undefined;
  const names = `2 of ${people.slice(0, -1).join(', ')} and ${people.at(-1)}`;
  const command = `candor-signer renew ${product ?? role}`;
  const date = at(days).slice(0, 10);
  const broken = days < 0 && expires > 0;
  const sentence = broken
    ? `The next word was promised by ${date} and has not come: handsets tell their owners. ${names} sign it now: \`${command}\`. It expires on ${at(expires).slice(0, 10)}.`
    : days < 0
      ? `It expired on ${date}: handsets take nothing new that hangs on it. ${names} sign it now: \`${command}\`.`
      : `${names} sign it by ${date}: \`${command}\`. ${product ? 'They promised that; past it, handsets tell their owners that the makers are late.' : 'Past it, handsets take nothing new that hangs on it.'}`;
  return {
    role, ...(product ? { product, nextBy: at(days) } : {}), version: 7, expires: at(expires), by: at(days), threshold: 2, online: false, sentence, command,
    keys: people.map((p, i) => key(i + role.length, p, product ? undefined : [role === 'root' ? 'targets' : 'root'])), state: broken ? 'urgent' : state(days, false),
  };
}

function byServer(role: string, days: number, n: number): Role {
  const sentence = days < 0
    ? `It expired at ${at(days).replace('T', ' ').slice(0, 16)} UTC: handsets take nothing new. The server signs it; on its machine, \`candor-server doctor\` says why it did not.`
    : `The server signs it by itself, long before ${at(days).replace('T', ' ').slice(0, 16)} UTC; nobody has to act.`;
  return {
    role, version: 412, expires: at(days), by: at(days), threshold: 1, online: true, keys: [key(n)], sentence, command: 'candor-server doctor', state: state(days, true),
  };
}

/** A usual tree; days says which roles have other times than usual. */
export function keysOf(days: Record<string, number>, expires?: number): S['KeyOverview'] {
  const d = { timestamp: 1.8, snapshot: 6.2, rollouts: 6.2, 'releases-phone': 47, 'releases-watch': 52, targets: 283, root: 284, ...days };
  const roles = [
    byServer('timestamp', d.timestamp, 31), byServer('snapshot', d.snapshot, 32), byServer('rollouts', d.rollouts, 33),
    byPeople('releases-phone', engineers, d['releases-phone'], expires ?? d['releases-phone'] + (d['releases-phone'] < 0 ? 0 : 60)),
    byPeople('releases-watch', engineers.slice(0, 2), d['releases-watch'], d['releases-watch'] + 60), byPeople('targets', root, d.targets), byPeople('root', root, d.root),
  ];
  return { at: now, rootWords: 'kalas merik fovil buden karuk molos beldon fuvul', roles: roles.sort((a, b) => a.by.localeCompare(b.by)) };
}

/** As many products as somebody may have. */
export function manyKeys(products: number): S['KeyOverview'] {
  const all = keysOf({});
  const more = Array.from({ length: products }, (_, i) => byPeople(`releases-model-${String(i).padStart(4, '0')}`, engineers, 5 + (i % 58), 65 + (i % 58)));
  return { ...all, roles: [...all.roles, ...more].sort((a, b) => a.by.localeCompare(b.by)) };
}

const nasty = ['<img src=x onerror=alert(1)>', '\u202Eevil\u202C \u{1F468}\u200D\u{1F680}', 'W'.repeat(100)];

export const hostile: S['KeyOverview'] = { ...keysOf({}), roles: [byPeople(`releases-${'x'.repeat(64)}`, nasty, 3, 63), ...keysOf({}).roles] };
