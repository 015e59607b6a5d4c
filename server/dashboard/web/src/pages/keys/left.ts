// How long roles have, and how they are looked through.
import type { S } from '../../api/client';

type Role = S['SigningRole'];

const day = 86_400_000;

/** Whole days until a moment; negative when it is past, as candor-signer counts them. */
export const daysLeft = (at: string, now: Date) => Math.floor((Date.parse(at) - now.getTime()) / day);

/** The big figure of a role: days, or hours where days say too little. */
export function left(role: Role, now: Date): { figure: string; unit: string; words: string } {
  const days = daysLeft(role.by, now);
  const hours = Math.floor((Date.parse(role.by) - now.getTime()) / 3_600_000);
  if (days < 0) return { figure: `${-days}`, unit: days === -1 ? 'day over' : 'days over', words: `${-days} days over` };
  if (hours < 72) return { figure: `${hours}`, unit: hours === 1 ? 'hour left' : 'hours left', words: `${hours} hours left` };
  return { figure: `${days}`, unit: 'days left', words: `${days} days left` };
}

/** What somebody has to do now, in a sentence, for the top of the page. */
export function verdict(roles: Role[]): { tone: 'good' | 'warn' | 'bad'; text: string } {
  const n = (state: Role['state']) => roles.filter((r) => r.state === state).length;
  const of = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;
  if (n('expired')) return { tone: 'bad', text: `${of(n('expired'), 'role has', 'roles have')} expired: handsets take nothing new that hangs on ${n('expired') === 1 ? 'it' : 'them'}.` };
  if (n('urgent')) return { tone: 'bad', text: `${of(n('urgent'), 'role has', 'roles have')} to be signed now.` };
  if (n('soon')) return { tone: 'warn', text: `${of(n('soon'), 'role is', 'roles are')} to be signed soon.` };
  return { tone: 'good', text: 'Nobody has to sign anything now.' };
}

/** Roles whose name, product or people have the words in them. */
export function sought(roles: Role[], words: string): Role[] {
  const w = words.trim().toLowerCase();
  if (!w) return roles;
  return roles.filter((r) => [r.role, ...r.keys.flatMap((k) => [k.holder, k.id])].some((t) => t.toLowerCase().includes(w)));
}
